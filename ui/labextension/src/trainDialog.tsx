// The Train dialog: what the notebook's cells say, ready to be sent as a job.
import * as React from 'react';

import { ChoiceField, NumberField, TextField } from './fields';
import { request, sentenceOf } from './request';
import { SubmitDialog } from './submitDialog';
import type { Choices, ParameterField, RequestView, TrainForm, TrainOrder } from './wire';

const FRAMEWORKS = [
  ['generic', 'generic (peers)'],
  ['torch', 'torch'],
  ['tensorflow', 'TensorFlow'],
  ['jax', 'JAX']
] as const;
const NAME = '[A-Za-z0-9][A-Za-z0-9._\\-]{0,62}';

interface Draft {
  name: string;
  team: string;
  workers: number;
  cores: number;
  gib: number;
  flavor: string;
  devices: number;
  framework: string;
  /** Follows the name until somebody writes another one. */
  checkpoint: string | null;
  restarts: number;
  parameters: Record<string, string>;
}

/** Show the dialog; resolves with the submitted request, or undefined where it was cancelled. */
export async function showTrainDialog(form: TrainForm): Promise<RequestView | undefined> {
  const dialog = new TrainDialog(form);
  return dialog.show();
}

class TrainDialog {
  constructor(private readonly form: TrainForm) {
    this.draft = {
      name: form.job_name,
      team: '',
      workers: form.workers,
      cores: form.cpu_millis / 1000,
      gib: form.mem_mib / 1024,
      flavor: '',
      devices: 1,
      framework: form.framework,
      checkpoint: null,
      restarts: form.restarts,
      parameters: Object.fromEntries(form.parameters.map(field => [field.name, field.value]))
    };
  }

  async show(): Promise<RequestView | undefined> {
    const dialog = SubmitDialog.show<RequestView>({
      title: `Train ${this.form.path.replace(/^.*\//, '')}`,
      accept: 'Train',
      fields: () => this.fields(),
      submit: () => request<RequestView>('trainings', { method: 'POST', body: this.order() })
    });
    this.redraw = () => dialog.redraw();
    void this.choose();
    await dialog.launch();
    return dialog.result;
  }

  private async choose(): Promise<void> {
    try {
      this.choices = await request<Choices>('choices');
      this.set({ team: this.choices.teams[0] ?? '' });
    } catch (error) {
      this.warning = sentenceOf(error);
      this.redraw();
    }
  }

  private fields(): React.JSX.Element {
    const { draft, choices } = this;
    return (
      <>
        <p className="capacity-Form-lead">{this.lead()}</p>
        {this.warning !== '' && <p className="capacity-Form-warning">{this.warning}</p>}
        <TextField
          label="Name"
          value={draft.name}
          pattern={NAME}
          isRequired
          onChange={name => this.set({ name })}
        />
        {choices.teams.length > 1 && (
          <ChoiceField
            label="Team"
            help="Whose quota it runs under."
            value={draft.team}
            options={choices.teams.map(team => [team, team])}
            onChange={team => this.set({ team })}
          />
        )}
        <NumberField
          label="Workers"
          min={1}
          value={draft.workers}
          onChange={workers => this.set({ workers })}
        />
        <NumberField
          label="CPU per worker"
          unit="cores"
          min={0.001}
          step="any"
          value={draft.cores}
          onChange={cores => this.set({ cores })}
        />
        <NumberField
          label="Memory per worker"
          unit="GiB"
          min={0.001}
          step="any"
          value={draft.gib}
          onChange={gib => this.set({ gib })}
        />
        {choices.flavors.length > 0 && this.accelerators()}
        <ChoiceField
          label="Framework"
          help="How the workers find each other."
          value={draft.framework}
          options={FRAMEWORKS}
          onChange={framework => this.set({ framework })}
        />
        <TextField
          label="Checkpoint place"
          help="One that exists is resumed from."
          value={this.checkpoint}
          onChange={checkpoint => this.set({ checkpoint })}
        />
        <NumberField
          label="Restarts"
          help="How often a lost worker may be made up for, from the checkpoint."
          min={0}
          value={draft.restarts}
          onChange={restarts => this.set({ restarts })}
        />
        {this.form.parameters.length > 0 && this.parameters()}
        {this.form.dropped.length > 0 && this.dropped()}
      </>
    );
  }

  private lead(): string {
    const cells = this.form.train_cells;
    const files = this.form.files;
    const some = cells.length === 1 ? `cell ${cells[0]}` : `cells ${cells.join(', ')}`;
    return `Each worker runs ${some} (tagged train)${files.length > 0 ? `, with ${files.join(', ')}` : ''}.`;
  }

  private accelerators(): React.JSX.Element {
    const none = ['', 'none'] as const;
    return (
      <>
        <ChoiceField
          label="Accelerator"
          value={this.draft.flavor}
          options={[none, ...this.choices.flavors.map(flavor => [flavor, flavor] as const)]}
          onChange={flavor => this.set({ flavor })}
        />
        {this.draft.flavor !== '' && (
          <NumberField
            label="Accelerators per worker"
            min={1}
            value={this.draft.devices}
            onChange={devices => this.set({ devices })}
          />
        )}
      </>
    );
  }

  private parameters(): React.JSX.Element {
    return (
      <fieldset>
        <legend>Parameters</legend>
        {this.form.parameters.map(field => (
          <Parameter
            key={field.name}
            field={field}
            value={this.draft.parameters[field.name] ?? ''}
            onChange={value =>
              this.set({ parameters: { ...this.draft.parameters, [field.name]: value } })
            }
          />
        ))}
      </fieldset>
    );
  }

  private dropped(): React.JSX.Element {
    return (
      <details>
        <summary>{this.stay()}</summary>
        <ul>
          {this.form.dropped.map(line => (
            <li key={line}>{line}</li>
          ))}
        </ul>
      </details>
    );
  }

  private stay(): string {
    const count = this.form.dropped.length;
    const lines = count === 1 ? '1 line stays here' : `${count} lines stay here`;
    return `${lines}: only IPython understands ${count === 1 ? 'it' : 'them'}`;
  }

  private get checkpoint(): string {
    const place = this.form.checkpoint.replace(/[^/]*$/, '');
    return this.draft.checkpoint ?? place + this.draft.name;
  }

  private order(): TrainOrder {
    const { draft, form } = this;
    const changed = form.parameters.filter(field => draft.parameters[field.name] !== field.value);
    return {
      path: form.path,
      name: draft.name,
      team: draft.team === '' ? null : draft.team,
      workers: draft.workers,
      cpu_millis: Math.round(draft.cores * 1000),
      mem_mib: Math.round(draft.gib * 1024),
      accelerators: draft.flavor === '' ? {} : { [draft.flavor]: draft.devices },
      framework: draft.framework as TrainOrder['framework'],
      checkpoint: this.checkpoint,
      restarts: draft.restarts,
      parameters: Object.fromEntries(
        changed.map(field => [field.name, draft.parameters[field.name] ?? ''])
      )
    };
  }

  private set(change: Partial<Draft>): void {
    this.draft = { ...this.draft, ...change };
    this.redraw();
  }

  private draft: Draft;
  private choices: Choices = { teams: [], flavors: [] };
  private warning = '';
  private redraw: () => void = () => undefined;
}

interface ParameterProps {
  field: ParameterField;
  value: string;
  onChange: (value: string) => void;
}

function Parameter({ field, value, onChange }: ParameterProps): React.JSX.Element {
  if (field.kind === 'truth') {
    const options = ['True', 'False'].map(word => [word, word] as const);
    return <ChoiceField label={field.name} value={value} options={options} onChange={onChange} />;
  }
  return <TextField label={field.name} value={value} onChange={onChange} />;
}
