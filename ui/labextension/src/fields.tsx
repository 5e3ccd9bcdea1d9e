// The form's fields: each with its label, and a line of help that a screen reader says with it.
import { HTMLSelect } from '@jupyterlab/ui-components';
import * as React from 'react';

interface Common {
  label: string;
  help?: string;
  /** The field's name in the order, by which the server says that its value does not hold. */
  field?: string;
}

/** The field whose value the server refused. */
export const RefusedField = React.createContext<string | null>(null);

interface TextProps extends Common {
  value: string;
  onChange: (value: string) => void;
  pattern?: string;
  isRequired?: boolean;
}

export function TextField(props: TextProps): React.JSX.Element {
  return (
    <Row {...props}>
      {common => (
        <input
          {...common}
          className="jp-mod-styled"
          type="text"
          spellCheck={false}
          value={props.value}
          pattern={props.pattern}
          required={props.isRequired ?? false}
          onChange={event => props.onChange(event.target.value)}
        />
      )}
    </Row>
  );
}

interface NumberProps extends Common {
  value: number;
  onChange: (value: number) => void;
  min: number;
  max?: number;
  step?: number | 'any';
  unit?: string;
}

export function NumberField(props: NumberProps): React.JSX.Element {
  return (
    <Row {...props}>
      {common => (
        <span className="capacity-Form-amount">
          <input
            {...common}
            className="jp-mod-styled"
            type="number"
            required
            min={props.min}
            max={props.max}
            step={props.step ?? 1}
            value={Number.isNaN(props.value) ? '' : props.value}
            onChange={event => props.onChange(event.target.valueAsNumber)}
          />
          {props.unit !== undefined && <span aria-hidden="true">{props.unit}</span>}
        </span>
      )}
    </Row>
  );
}

interface ChoiceProps extends Common {
  value: string;
  onChange: (value: string) => void;
  /** What is sent, and what is shown for it. */
  options: ReadonlyArray<readonly [string, string]>;
}

export function ChoiceField(props: ChoiceProps): React.JSX.Element {
  return (
    <Row {...props}>
      {common => (
        <HTMLSelect
          {...common}
          value={props.value}
          onChange={event => props.onChange(event.target.value)}
        >
          {props.options.map(([value, shown]) => (
            <option key={value} value={value}>
              {shown}
            </option>
          ))}
        </HTMLSelect>
      )}
    </Row>
  );
}

interface CheckProps extends Common {
  isChecked: boolean;
  onChange: (isChecked: boolean) => void;
}

export function CheckField(props: CheckProps): React.JSX.Element {
  return (
    <Row {...props}>
      {common => (
        <input
          {...common}
          type="checkbox"
          checked={props.isChecked}
          onChange={event => props.onChange(event.target.checked)}
        />
      )}
    </Row>
  );
}

interface KindProps {
  legend: string;
  value: string;
  onChange: (value: string) => void;
  /** What is sent, what is shown for it, and what that means. */
  options: ReadonlyArray<readonly [string, string, string]>;
}

/** A choice that the fields below it hang on, each with what it means. */
export function KindField({ legend, value, onChange, options }: KindProps): React.JSX.Element {
  const group = React.useId();
  return (
    <fieldset className="capacity-Kinds">
      <legend>{legend}</legend>
      {options.map(([option, shown, meaning]) => (
        <label key={option}>
          <input
            type="radio"
            name={group}
            value={option}
            checked={option === value}
            onChange={() => onChange(option)}
          />
          <span>
            <strong>{shown}</strong>
            <span className="capacity-Form-help">{meaning}</span>
          </span>
        </label>
      ))}
    </fieldset>
  );
}

interface ControlProps {
  id: string;
  name: string | undefined;
  'aria-describedby': string | undefined;
  'aria-invalid': boolean | undefined;
}

function Row(
  props: Common & { children: (common: ControlProps) => React.ReactNode }
): React.JSX.Element {
  const id = React.useId();
  const refused = React.useContext(RefusedField);
  const help = props.help === undefined ? undefined : `${id}-help`;
  const common = {
    id,
    name: props.field,
    'aria-describedby': help,
    'aria-invalid': (props.field !== undefined && props.field === refused) || undefined
  };
  return (
    <div className="capacity-Form-row">
      <label htmlFor={id}>{props.label}</label>
      <div>
        {props.children(common)}
        {help !== undefined && (
          <div id={help} className="capacity-Form-help">
            {props.help}
          </div>
        )}
      </div>
    </div>
  );
}
