// The Train dialog: what the notebook's cells say, ready to be sent as a job.
import type { Kernel } from '@jupyterlab/services';
import * as React from 'react';

import { KernelSide } from './environment';
import { TextField } from './fields';
import {
  cellsOf,
  Dropped,
  JobDraft,
  jobDraft,
  jobOrder,
  Parameters,
  RestartsField,
  TeamField,
  Travels,
  WorkerFields
} from './jobFields';
import { request, sentenceOf } from './request';
import { SubmitDialog } from './submitDialog';
import type { Choices, RequestView, TrainForm, TrainOrder } from './wire';

const NAME = '[A-Za-z0-9][A-Za-z0-9._\\-]{0,62}';

interface Draft extends JobDraft {
  name: string;
  /** Follows the name until somebody writes another one. */
  checkpoint: string | null;
}

export interface TrainSurroundings {
  path: string;
  /** Of the notebook, where one is running. */
  kernel: Kernel.IKernelConnection | null;
  /** Hears of a problem that may have a place in the notebook. */
  onProblem: (error: unknown) => void;
}

/** Show the dialog; resolves with the submitted request, or undefined where it was cancelled. */
export async function showTrainDialog(around: TrainSurroundings): Promise<RequestView | undefined> {
  const { path } = around;
  const side = new KernelSide(around.kernel, path);
  let dialog: TrainDialog | null = null;
  await side.ask(() => dialog?.redraw());
  const form = await request<TrainForm>('notebook', { query: { path, ...side.query } });
  dialog = new TrainDialog(form, side, around.onProblem);
  return dialog.show();
}

class TrainDialog {
  constructor(
    private readonly form: TrainForm,
    private readonly side: KernelSide,
    private readonly onProblem: (error: unknown) => void
  ) {
    this.draft = { ...jobDraft(form), name: form.job_name, checkpoint: null };
  }

  async show(): Promise<RequestView | undefined> {
    const dialog = SubmitDialog.show<RequestView>({
      title: `Train ${this.form.path.replace(/^.*\//, '')}`,
      accept: 'Train',
      fields: () => this.fields(),
      onProblem: this.onProblem,
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
    const { draft, choices, form } = this;
    const common = { draft, choices, onChange: (change: Partial<JobDraft>) => this.set(change) };
    return (
      <>
        <p className="capacity-Form-lead">
          {this.lead()} {this.side.sentence}
        </p>
        <Travels form={form} />
        {this.warning !== '' && <p className="capacity-Form-warning">{this.warning}</p>}
        <TextField
          label="Name"
          field="name"
          value={draft.name}
          pattern={NAME}
          isRequired
          onChange={name => this.set({ name })}
        />
        <TeamField {...common} />
        <WorkerFields {...common} />
        <TextField
          label="Checkpoint place"
          field="checkpoint"
          help="One that exists is resumed from."
          value={this.checkpoint}
          onChange={checkpoint => this.set({ checkpoint })}
        />
        <RestartsField {...common} />
        <Parameters form={form} {...common} />
        <Dropped lines={form.dropped} />
      </>
    );
  }

  private lead(): string {
    const { train_cells: cells, files } = this.form;
    return `Each worker runs ${cellsOf(cells)} (tagged train)${files.length > 0 ? `, with ${files.join(', ')}` : ''}.`;
  }

  private get checkpoint(): string {
    const place = this.form.checkpoint.replace(/[^/]*$/, '');
    return this.draft.checkpoint ?? place + this.draft.name;
  }

  private order(): TrainOrder {
    const { draft, form } = this;
    return {
      ...jobOrder(draft, form),
      path: form.path,
      name: draft.name,
      checkpoint: this.checkpoint,
      files: [],
      environment: this.side.environment,
      missing: this.side.found?.missing ?? []
    };
  }

  private set(change: Partial<Draft>): void {
    this.draft = { ...this.draft, ...change };
    this.redraw();
  }

  private draft: Draft;
  private choices: Choices = { teams: [], flavors: [] };
  private warning = '';
  redraw: () => void = () => undefined;
}
