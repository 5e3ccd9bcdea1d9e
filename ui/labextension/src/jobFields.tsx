// What a training job is asked for with, in the Train dialog and in a pipeline's: workers, their share, parameters.
import * as React from 'react';

import { ChoiceField, NumberField, TextField } from './fields';
import type { Choices, ParameterField, TrainForm, TrainOrder } from './wire';

const FRAMEWORKS = [
  ['generic', 'generic (peers)'],
  ['torch', 'torch'],
  ['tensorflow', 'TensorFlow'],
  ['jax', 'JAX']
] as const;

export interface JobDraft {
  team: string;
  workers: number;
  cores: number;
  gib: number;
  flavor: string;
  devices: number;
  framework: string;
  restarts: number;
  parameters: Record<string, string>;
}

export type JobOrder = Pick<
  TrainOrder,
  | 'team'
  | 'workers'
  | 'cpu_millis'
  | 'mem_mib'
  | 'accelerators'
  | 'framework'
  | 'restarts'
  | 'parameters'
>;

export function jobDraft(form: TrainForm): JobDraft {
  return {
    team: '',
    workers: form.workers,
    cores: form.cpu_millis / 1000,
    gib: form.mem_mib / 1024,
    flavor: '',
    devices: 1,
    framework: form.framework,
    restarts: form.restarts,
    parameters: Object.fromEntries(form.parameters.map(field => [field.name, field.value]))
  };
}

/** The part of an order that says so; of the parameters only what was changed. */
export function jobOrder(draft: JobDraft, form: TrainForm): JobOrder {
  const changed = form.parameters.filter(field => draft.parameters[field.name] !== field.value);
  return {
    team: draft.team === '' ? null : draft.team,
    workers: draft.workers,
    cpu_millis: Math.round(draft.cores * 1000),
    mem_mib: Math.round(draft.gib * 1024),
    accelerators: draft.flavor === '' ? {} : { [draft.flavor]: draft.devices },
    framework: draft.framework as TrainOrder['framework'],
    restarts: draft.restarts,
    parameters: Object.fromEntries(
      changed.map(field => [field.name, draft.parameters[field.name] ?? ''])
    )
  };
}

interface Props {
  draft: JobDraft;
  choices: Choices;
  onChange: (change: Partial<JobDraft>) => void;
}

export function TeamField({ draft, choices, onChange }: Props): React.JSX.Element | null {
  return choices.teams.length > 1 ? (
    <ChoiceField
      label="Team"
      help="Whose quota it runs under."
      field="team"
      value={draft.team}
      options={choices.teams.map(team => [team, team])}
      onChange={team => onChange({ team })}
    />
  ) : null;
}

export function WorkerFields({ draft, choices, onChange }: Props): React.JSX.Element {
  return (
    <>
      <NumberField
        label="Workers"
        field="workers"
        min={1}
        value={draft.workers}
        onChange={workers => onChange({ workers })}
      />
      <NumberField
        label="CPU per worker"
        field="cpu_millis"
        unit="cores"
        min={0.001}
        step="any"
        value={draft.cores}
        onChange={cores => onChange({ cores })}
      />
      <NumberField
        label="Memory per worker"
        field="mem_mib"
        unit="GiB"
        min={0.001}
        step="any"
        value={draft.gib}
        onChange={gib => onChange({ gib })}
      />
      {choices.flavors.length > 0 && (
        <Accelerators draft={draft} choices={choices} onChange={onChange} />
      )}
      <ChoiceField
        label="Framework"
        field="framework"
        help="How the workers find each other."
        value={draft.framework}
        options={FRAMEWORKS}
        onChange={framework => onChange({ framework })}
      />
    </>
  );
}

function Accelerators({ draft, choices, onChange }: Props): React.JSX.Element {
  const none = ['', 'none'] as const;
  return (
    <>
      <ChoiceField
        label="Accelerator"
        field="accelerators"
        value={draft.flavor}
        options={[none, ...choices.flavors.map(flavor => [flavor, flavor] as const)]}
        onChange={flavor => onChange({ flavor })}
      />
      {draft.flavor !== '' && (
        <NumberField
          label="Accelerators per worker"
          field={`accelerators.${draft.flavor}`}
          min={1}
          value={draft.devices}
          onChange={devices => onChange({ devices })}
        />
      )}
    </>
  );
}

export function RestartsField({ draft, onChange }: Omit<Props, 'choices'>): React.JSX.Element {
  return (
    <NumberField
      label="Restarts"
      field="restarts"
      help="How often a lost worker may be made up for, from the checkpoint."
      min={0}
      value={draft.restarts}
      onChange={restarts => onChange({ restarts })}
    />
  );
}

interface ParametersProps {
  form: TrainForm;
  draft: JobDraft;
  onChange: (change: Partial<JobDraft>) => void;
}

export function Parameters({ form, draft, onChange }: ParametersProps): React.JSX.Element | null {
  const { parameters } = draft;
  return form.parameters.length === 0 ? null : (
    <fieldset>
      <legend>Parameters</legend>
      {form.parameters.map(field => (
        <Parameter
          key={field.name}
          field={field}
          value={parameters[field.name] ?? ''}
          onChange={value => onChange({ parameters: { ...parameters, [field.name]: value } })}
        />
      ))}
    </fieldset>
  );
}

interface ParameterProps {
  field: ParameterField;
  value: string;
  onChange: (value: string) => void;
}

function Parameter({ field, value, onChange }: ParameterProps): React.JSX.Element {
  const common = { label: field.name, field: `parameters.${field.name}`, value, onChange };
  if (field.kind === 'truth') {
    return (
      <ChoiceField {...common} options={['True', 'False'].map(word => [word, word] as const)} />
    );
  }
  return <TextField {...common} />;
}

/** The lines that only IPython understands, folded away. */
export function Dropped({ lines }: { lines: readonly string[] }): React.JSX.Element | null {
  const count = lines.length;
  const stay = count === 1 ? '1 line stays here' : `${count} lines stay here`;
  return count === 0 ? null : (
    <details>
      <summary>{`${stay}: only IPython understands ${count === 1 ? 'it' : 'them'}`}</summary>
      <ul>
        {lines.map(line => (
          <li key={line}>{line}</li>
        ))}
      </ul>
    </details>
  );
}

/** `cell 2`, `cells 2, 4`. */
export function cellsOf(numbers: readonly number[]): string {
  return numbers.length === 1 ? `cell ${numbers[0]}` : `cells ${numbers.join(', ')}`;
}

/** What the cells read of the lake, and what is worth a second look. */
export function Travels({ form }: { form: TrainForm }): React.JSX.Element {
  return (
    <>
      {form.data.length > 0 && (
        <p className="capacity-Form-help">Read from the lake there: {form.data.join(', ')}</p>
      )}
      {form.notes.map(note => (
        <p key={note} className="capacity-Form-warning">
          {note}
        </p>
      ))}
    </>
  );
}
