// The form's fields: each with its label, and a line of help that a screen reader says with it.
import { HTMLSelect } from '@jupyterlab/ui-components';
import * as React from 'react';

interface Common {
  label: string;
  help?: string;
}

interface TextProps extends Common {
  value: string;
  onChange: (value: string) => void;
  pattern?: string;
  isRequired?: boolean;
}

export function TextField(props: TextProps): React.JSX.Element {
  return (
    <Row {...props}>
      {(id, help) => (
        <input
          id={id}
          aria-describedby={help}
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
  step?: number | 'any';
  unit?: string;
}

export function NumberField(props: NumberProps): React.JSX.Element {
  return (
    <Row {...props}>
      {(id, help) => (
        <span className="capacity-Form-amount">
          <input
            id={id}
            aria-describedby={help}
            className="jp-mod-styled"
            type="number"
            required
            min={props.min}
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
      {(id, help) => (
        <HTMLSelect
          id={id}
          aria-describedby={help}
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

function Row(
  props: Common & { children: (id: string, help: string | undefined) => React.ReactNode }
): React.JSX.Element {
  const id = React.useId();
  const help = props.help === undefined ? undefined : `${id}-help`;
  return (
    <div className="capacity-Form-row">
      <label htmlFor={id}>{props.label}</label>
      <div>
        {props.children(id, help)}
        {help !== undefined && (
          <div id={help} className="capacity-Form-help">
            {props.help}
          </div>
        )}
      </div>
    </div>
  );
}
