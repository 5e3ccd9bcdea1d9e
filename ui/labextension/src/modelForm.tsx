// The Export dialog's kind Model: which object of the kernel, under which name, checked against which rows.
import type { Kernel } from '@jupyterlab/services';
import * as React from 'react';

import { candidatesOf, labelsFor, named, rowsFor, tableLabel } from './candidates';
import { CheckField, ChoiceField, TextField } from './fields';
import { sentenceOf } from './request';
import type { Candidates, ExportOrder, ModelObject, TableObject } from './wire';
import { modelName, size } from './words';

const REMOTE = '~/lake/team/models.git';
const NAME = '[a-z][a-z0-9\\-]{0,39}';
const NONE = ['', 'none: the test is left out'] as const;

interface Draft {
  model: string;
  name: string;
  examples: string;
  rows: string;
  labels: string;
  remote: string;
  description: string;
  isOptimised: boolean;
}

export class ModelForm {
  constructor(
    private readonly path: string,
    private readonly kernel: Kernel.IKernelConnection,
    private readonly redraw: () => void
  ) {
    this.wasBusy = kernel.status === 'busy';
    this.draft = {
      model: '',
      name: modelName(path),
      examples: '',
      rows: '',
      labels: '',
      remote: REMOTE,
      description: '',
      isOptimised: true
    };
  }

  get isReady(): boolean {
    return this.found !== null && this.found.models.length > 0 && !this.found.lacking;
  }

  async ask(): Promise<void> {
    try {
      this.offer(await candidatesOf(this.kernel));
    } catch (error) {
      this.problem = sentenceOf(error);
    }
    this.redraw();
  }

  private offer(found: Candidates): void {
    this.found = found;
    const model = found.models[0];
    if (model !== undefined) {
      this.choose(model);
    }
  }

  private choose(model: ModelObject): void {
    const tables = this.found?.tables ?? [];
    const rows = rowsFor(model, tables);
    const held = named(rows, /test|held|valid/i) ?? null;
    const labels = held === null ? null : labelsFor(held, tables);
    this.set({
      model: model.name,
      examples: (held ?? rows.at(-1))?.name ?? '',
      rows: labels === null ? '' : (held?.name ?? ''),
      labels: labels?.name ?? ''
    });
  }

  fields(): React.JSX.Element {
    if (this.problem !== '') {
      return <p className="capacity-Form-warning">{this.problem}</p>;
    }
    if (this.found === null) {
      return <p aria-live="polite">{this.patience()}</p>;
    }
    if (this.found.models.length === 0) {
      return (
        <p className="capacity-Form-warning">
          No model is in the kernel: run the cells that make it, then press Export again.
        </p>
      );
    }
    return this.filled(this.found);
  }

  private patience(): string {
    return this.wasBusy
      ? 'The kernel is busy: what can be exported is listed as soon as its cell is done.'
      : 'Looking for models in the kernel …';
  }

  private filled(found: Candidates): React.JSX.Element {
    const { draft } = this;
    return (
      <>
        {found.lacking !== '' && (
          <p className="capacity-Form-warning">
            {found.lacking.charAt(0).toUpperCase() + found.lacking.slice(1)}.
          </p>
        )}
        <ChoiceField
          label="Object"
          help={this.model?.signature ?? ''}
          value={draft.model}
          options={found.models.map(model => [model.name, labelOf(model)])}
          onChange={name => {
            const model = found.models.find(known => known.name === name);
            if (model !== undefined) {
              this.choose(model);
            }
          }}
        />
        <TextField
          label="Name"
          field="name"
          help="Small letters, digits and dashes; each export is its next version."
          value={draft.name}
          pattern={NAME}
          isRequired
          onChange={name => this.set({ name })}
        />
        {this.tables(found)}
        <CheckField
          label="Optimise"
          field="optimise"
          help="Smaller and faster forms are measured on the held-out rows; the best within 1 % is kept."
          isChecked={draft.isOptimised}
          onChange={isOptimised => this.set({ isOptimised })}
        />
        <TextField
          label="Git repository"
          field="remote"
          help="A new version is one commit and one tag there."
          value={draft.remote}
          isRequired
          onChange={remote => this.set({ remote })}
        />
        <TextField
          label="Description"
          field="description"
          value={draft.description}
          onChange={description => this.set({ description })}
        />
      </>
    );
  }

  private tables(found: Candidates): React.JSX.Element {
    const { draft } = this;
    const rows = found.tables.filter(table => table.shape.length >= 2);
    const columns = found.tables.filter(table => table.shape.length === 1 || table.shape[1] === 1);
    return (
      <>
        <ChoiceField
          label="Example inputs"
          help="The first ten rows are kept with the model."
          value={draft.examples}
          options={rows.map(optionOf)}
          onChange={examples => this.set({ examples })}
        />
        <ChoiceField
          label="Held-out rows"
          help="Rows that it has not seen: the export is compared and tested on them."
          value={draft.rows}
          options={[NONE, ...rows.map(optionOf)]}
          onChange={held => this.set({ rows: held, labels: this.labelsOf(held) })}
        />
        {draft.rows !== '' && (
          <ChoiceField
            label="Their labels"
            value={draft.labels}
            options={[NONE, ...columns.map(optionOf)]}
            onChange={labels => this.set({ labels })}
          />
        )}
      </>
    );
  }

  private get model(): ModelObject | undefined {
    return this.found?.models.find(model => model.name === this.draft.model);
  }

  private labelsOf(rows: string): string {
    const table = this.found?.tables.find(known => known.name === rows);
    return table === undefined ? '' : (labelsFor(table, this.found?.tables ?? [])?.name ?? '');
  }

  order(): ExportOrder {
    const { draft } = this;
    const isHeldOut = draft.rows !== '' && draft.labels !== '';
    if (draft.examples === '') {
      throw new Error(
        'There are no rows in the kernel to give as example inputs: make some first.'
      );
    }
    return {
      path: this.path,
      model: draft.model,
      name: draft.name,
      example_inputs: draft.examples,
      held_out_rows: isHeldOut ? draft.rows : null,
      held_out_labels: isHeldOut ? draft.labels : null,
      remote: draft.remote,
      description: draft.description,
      optimise: draft.isOptimised
    };
  }

  private set(change: Partial<Draft>): void {
    this.draft = { ...this.draft, ...change };
    this.redraw();
  }

  private draft: Draft;
  private found: Candidates | null = null;
  private problem = '';
  private readonly wasBusy: boolean;
}

function labelOf(model: ModelObject): string {
  const parts = [model.type, size(model.size_bytes), model.is_fitted ? '' : 'not fitted'];
  return `${model.name}: ${parts.filter(part => part !== '').join(', ')}`;
}

function optionOf(table: TableObject): readonly [string, string] {
  return [table.name, tableLabel(table)];
}
