// The Export dialog's kind Pipeline: the notebook as a project in git, with what each of its steps needs to know.
import type { Kernel } from '@jupyterlab/services';
import * as React from 'react';

import { candidatesOf, tableLabel } from './candidates';
import { KernelSide } from './environment';
import { CheckField, ChoiceField, NumberField, TextField } from './fields';
import {
  cellsOf,
  Dropped,
  JobDraft,
  jobDraft,
  jobOrder,
  Parameters,
  RestartsField,
  Travels,
  WorkerFields
} from './jobFields';
import { CapacityProblem, request, sentenceOf } from './request';
import type { Candidates, Choices, PipelineForm as Form, PipelineOrder } from './wire';
import type { PipelinePushed } from './wire';
import { size } from './words';

const NAME = '[a-z][a-z0-9\\-]{0,39}';
const NONE = ['', 'none: nothing is measured'] as const;
const PERCENT = 100;

interface Draft extends JobDraft {
  name: string;
  /** Follows the name until somebody writes another one. */
  remote: string | null;
  models: string;
  model: string;
  examples: string;
  rows: string;
  labels: string;
  /** In per cent of the held-out rows. */
  accuracy: number;
  isOptimised: boolean;
  isServed: boolean;
  description: string;
}

export interface Surroundings {
  path: string;
  /** Of the notebook, where one is running. */
  kernel: Kernel.IKernelConnection | null;
  redraw: () => void;
  /** Hears of a problem that may have a place in the notebook. */
  onProblem: (error: unknown) => void;
}

export class PipelineForm {
  constructor(private readonly around: Surroundings) {
    this.side = new KernelSide(around.kernel, around.path);
  }

  get isReady(): boolean {
    return this.draft !== null && this.draft.model !== '' && this.draft.examples !== '';
  }

  /** Read the notebook, once; what the kernel adds comes when it can. */
  async ask(): Promise<void> {
    if (this.isAsked) {
      return;
    }
    this.isAsked = true;
    void this.choose();
    void this.look();
    try {
      await this.side.ask(this.around.redraw);
      const query = { path: this.around.path, ...this.side.query };
      this.form = await request<Form>('pipeline', { query });
      this.draft = draftOf(this.form);
    } catch (error) {
      this.problem = sentenceOf(error);
      this.around.onProblem(error);
    }
    this.around.redraw();
  }

  private async choose(): Promise<void> {
    try {
      this.choices = await request<Choices>('choices');
    } catch (error) {
      this.warning = sentenceOf(error);
    }
    this.around.redraw();
  }

  private async look(): Promise<void> {
    const { kernel } = this.around;
    if (kernel === null) {
      return;
    }
    try {
      this.found = await candidatesOf(kernel);
    } catch {
      return; // shapes and types are a help to choose, no more
    }
    this.around.redraw();
  }

  fields(): React.JSX.Element {
    if (this.problem !== '') {
      return (
        <p className="capacity-Form-warning" role="alert">
          {this.problem}
        </p>
      );
    }
    return this.form === null || this.draft === null ? (
      <p aria-live="polite">Reading the notebook …</p>
    ) : (
      this.filled(this.form, this.draft)
    );
  }

  private filled(form: Form, draft: Draft): React.JSX.Element {
    const onChange = (change: Partial<JobDraft>) => this.set(change);
    const common = { draft, choices: this.choices, onChange };
    return (
      <>
        <p className="capacity-Form-lead">
          {leadOf(form)} {this.side.sentence}
        </p>
        <Travels form={form.job} />
        {this.warning !== '' && <p className="capacity-Form-warning">{this.warning}</p>}
        {this.place(draft)}
        {this.roles(draft)}
        <fieldset>
          <legend>Training</legend>
          <WorkerFields {...common} />
          <RestartsField {...common} />
        </fieldset>
        <Parameters form={form.job} {...common} />
        <Dropped lines={form.dropped} />
      </>
    );
  }

  private place(draft: Draft): React.JSX.Element {
    return (
      <>
        <TextField
          label="Name"
          field="name"
          help="Small letters, digits and dashes; the model has it, too."
          value={draft.name}
          pattern={NAME}
          isRequired
          onChange={name => this.set({ name })}
        />
        <TextField
          label="Git repository"
          field="remote"
          help="Below ~/lake/team/pipelines it is made where there is none, and runs what is pushed."
          value={this.remote}
          isRequired
          onChange={remote => this.set({ remote })}
        />
        <TextField
          label="Models go to"
          field="models_remote"
          help="Each run that passes is a new version in this repository."
          value={draft.models}
          isRequired
          onChange={models => this.set({ models })}
        />
        <CheckField
          label="Serve it"
          field="serve"
          help="The last step starts a model server under the team’s quota."
          isChecked={draft.isServed}
          onChange={isServed => this.set({ isServed })}
        />
      </>
    );
  }

  private roles(draft: Draft): React.JSX.Element {
    const isMeasured = draft.rows !== '' && draft.labels !== '';
    return (
      <fieldset>
        <legend>Testing</legend>
        <ChoiceField
          label="Model"
          field="model"
          value={draft.model}
          options={this.options(draft.model)}
          onChange={model => this.set({ model })}
        />
        <ChoiceField
          label="Example inputs"
          field="example_inputs"
          help="The first ten rows are kept with the model."
          value={draft.examples}
          options={this.options(draft.examples)}
          onChange={examples => this.set({ examples })}
        />
        <ChoiceField
          label="Held-out rows"
          field="held_out_rows"
          help="Rows that it has not seen: it is tested and optimised on them."
          value={draft.rows}
          options={[NONE, ...this.options(draft.rows)]}
          onChange={rows => this.set({ rows })}
        />
        {draft.rows !== '' && (
          <ChoiceField
            label="Their labels"
            field="held_out_labels"
            value={draft.labels}
            options={[NONE, ...this.options(draft.labels)]}
            onChange={labels => this.set({ labels })}
          />
        )}
        <CheckField
          label="Optimise"
          field="optimise"
          help="Smaller and faster forms are measured on the held-out rows; the best within 1 % is kept."
          isChecked={draft.isOptimised}
          onChange={isOptimised => this.set({ isOptimised })}
        />
        {isMeasured && (
          <NumberField
            label="Minimum accuracy"
            field="minimum_accuracy"
            help="A model below it fails its test, and is not stored."
            unit="%"
            min={0}
            max={PERCENT}
            step="any"
            value={draft.accuracy}
            onChange={accuracy => this.set({ accuracy })}
          />
        )}
      </fieldset>
    );
  }

  /** What the cells set, with what the kernel knows of it; a choice is made where no guess was. */
  private options(value: string): Array<readonly [string, string]> {
    const known = this.form?.variables ?? [];
    const options = known.map(({ name, cell }) => [name, this.labelOf(name, cell)] as const);
    return value === '' ? [['', 'choose …'], ...options] : options;
  }

  private labelOf(name: string, cell: number): string {
    const table = this.found?.tables.find(known => known.name === name);
    const model = this.found?.models.find(known => known.name === name);
    if (table !== undefined) {
      return tableLabel(table);
    }
    return model === undefined
      ? `${name} (cell ${cell})`
      : `${name}: ${[model.type, size(model.size_bytes)].filter(part => part !== '').join(', ')}`;
  }

  private get remote(): string {
    const place = (this.form?.remote ?? '').replace(/[^/]*$/, '');
    return this.draft?.remote ?? `${place}${this.draft?.name ?? ''}.git`;
  }

  async push(): Promise<PipelinePushed> {
    return request<PipelinePushed>('pipelines', { method: 'POST', body: this.order() });
  }

  private order(): PipelineOrder {
    const { form, draft } = this;
    if (form === null || draft === null) {
      throw new CapacityProblem('The notebook was not read yet.', 0);
    }
    const isMeasured = draft.rows !== '' && draft.labels !== '';
    const { team: _, ...job } = jobOrder(draft, form.job); // the repository's
    return {
      ...job,
      path: form.job.path,
      name: draft.name,
      remote: this.remote,
      models_remote: draft.models,
      description: draft.description,
      model: draft.model,
      example_inputs: draft.examples,
      held_out_rows: isMeasured ? draft.rows : null,
      held_out_labels: isMeasured ? draft.labels : null,
      minimum_accuracy: isMeasured ? draft.accuracy / PERCENT : null,
      optimise: draft.isOptimised,
      serve: draft.isServed,
      environment: this.side.environment,
      missing: this.side.found?.missing ?? []
    };
  }

  private set(change: Partial<Draft>): void {
    if (this.draft !== null) {
      this.draft = { ...this.draft, ...change };
      this.around.redraw();
    }
  }

  private readonly side: KernelSide;
  private form: Form | null = null;
  private draft: Draft | null = null;
  private found: Candidates | null = null;
  private choices: Choices = { teams: [], flavors: [] };
  private isAsked = false;
  private problem = '';
  private warning = '';
}

function draftOf(form: Form): Draft {
  return {
    ...jobDraft(form.job),
    name: form.name,
    remote: null,
    models: form.models_remote,
    model: form.roles.model,
    examples: form.roles.example_inputs,
    rows: form.roles.held_out_rows,
    labels: form.roles.held_out_labels,
    accuracy: form.minimum_accuracy * PERCENT,
    isOptimised: true,
    isServed: true,
    description: ''
  };
}

/** What travels, cell by cell. */
function leadOf(form: Form): string {
  const parts = [
    `${cellsOf(form.job.train_cells)} (train)`,
    `${cellsOf(form.model_cells)} (model)`,
    form.test_cells.length > 0 ? `${cellsOf(form.test_cells)} (test)` : ''
  ].filter(part => part !== '');
  const files = form.files.length > 0 ? `, with ${form.files.join(', ')}` : '';
  const tests =
    form.test_cells.length > 0 ? '' : ' No cell is tagged test, so it has no checks of yours.';
  return `What travels: ${parts.join(', ')}${files}.${tests}`;
}
