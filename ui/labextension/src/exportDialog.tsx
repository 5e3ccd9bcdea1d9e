// The Export dialog: first what is exported, the model in the kernel or the notebook as a pipeline; then its fields.
import type { Kernel } from '@jupyterlab/services';
import * as React from 'react';

import { KindField } from './fields';
import { ModelForm } from './modelForm';
import { PipelineForm, Surroundings } from './pipelineForm';
import { SubmitDialog } from './submitDialog';
import type { ExportOrder, PipelinePushed } from './wire';

const KINDS = [
  ['model', 'Model', 'An object in the kernel becomes a tested version in git, now.'],
  [
    'pipeline',
    'Pipeline',
    'The notebook becomes a project in git that CI/CD trains, tests, optimises, stores, verifies and serves.'
  ]
] as const;

export type Exported =
  | { kind: 'model'; order: ExportOrder; kernel: Kernel.IKernelConnection }
  | { kind: 'pipeline'; pushed: PipelinePushed };

export interface ExportSurroundings extends Omit<Surroundings, 'redraw'> {
  /** Why a model cannot be exported now; empty where it can. */
  obstacle: string;
}

/** Show the dialog; resolves with what is to be followed, or undefined where it was cancelled. */
export async function showExportDialog(around: ExportSurroundings): Promise<Exported | undefined> {
  return new ExportDialog(around).show();
}

class ExportDialog {
  constructor(private readonly around: ExportSurroundings) {
    const redraw = () => this.redraw();
    const { path, kernel, obstacle } = around;
    this.model = kernel === null || obstacle !== '' ? null : new ModelForm(path, kernel, redraw);
    this.pipeline = new PipelineForm({ ...around, redraw });
  }

  async show(): Promise<Exported | undefined> {
    const dialog = SubmitDialog.show<Exported>({
      title: `Export ${this.around.path.replace(/^.*\//, '')}`,
      accept: 'Export',
      fields: () => this.fields(),
      isReady: () => (this.kind === 'model' ? this.model?.isReady : this.pipeline.isReady) ?? false,
      onProblem: this.around.onProblem,
      submit: () => this.submit()
    });
    this.redraw = () => dialog.redraw();
    void this.model?.ask();
    await dialog.launch();
    return dialog.result;
  }

  private fields(): React.JSX.Element {
    return (
      <>
        <KindField
          legend="What to export"
          value={this.kind}
          options={KINDS}
          onChange={kind => this.choose(kind as Exported['kind'])}
        />
        {this.kind === 'pipeline' ? this.pipeline.fields() : this.modelFields()}
      </>
    );
  }

  private modelFields(): React.JSX.Element {
    return this.model?.fields() ?? <p className="capacity-Form-warning">{this.around.obstacle}</p>;
  }

  private choose(kind: Exported['kind']): void {
    this.kind = kind;
    this.redraw();
    if (kind === 'pipeline') {
      void this.pipeline.ask();
    }
  }

  private async submit(): Promise<Exported> {
    const { kernel } = this.around;
    if (this.kind === 'pipeline') {
      return { kind: 'pipeline', pushed: await this.pipeline.push() };
    }
    if (this.model === null || kernel === null) {
      throw new Error(this.around.obstacle);
    }
    return { kind: 'model', order: this.model.order(), kernel };
  }

  private kind: Exported['kind'] = 'model';
  private readonly model: ModelForm | null;
  private readonly pipeline: PipelineForm;
  private redraw: () => void = () => undefined;
}
