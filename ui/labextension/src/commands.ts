// What the buttons do: save, ask, follow.
import type { JupyterFrontEnd } from '@jupyterlab/application';
import { Notification } from '@jupyterlab/apputils';
import type { INotebookTracker, NotebookPanel } from '@jupyterlab/notebook';
import type { Kernel } from '@jupyterlab/services';

import { Exported, showExportDialog } from './exportDialog';
import { Exporting } from './exporting';
import { ExportPanel } from './exportPanel';
import { exportIcon, jobIcon } from './icons';
import { framed, Panels } from './panels';
import { placeOf } from './pipelinePlace';
import { CapacityProblem, request, sentenceOf } from './request';
import { showTrainDialog } from './trainDialog';
import type { ExportDone, RequestView } from './wire';

export namespace CommandIDs {
  export const train = 'capacity:train';
  export const exportNotebook = 'capacity:export';
  /** With `id` and `name` of a request: shows the panel that follows it. */
  export const follow = 'capacity:follow';
  /** With a `PipelinePlace`: shows the panel of a pipeline. */
  export const followPipeline = 'capacity:follow-pipeline';
}

export class Buttons {
  constructor(
    private readonly app: JupyterFrontEnd,
    private readonly notebooks: INotebookTracker,
    private readonly panels: Panels
  ) {}

  addCommands(): void {
    const isEnabled = () => this.notebooks.currentWidget !== null;
    this.app.commands.addCommand(CommandIDs.train, {
      label: args => (args['toolbar'] ? 'Train' : 'Train This Notebook on the Team’s Capacity…'),
      caption: 'Run the cells tagged “train” as a job under your team’s quota',
      icon: jobIcon,
      isEnabled,
      describedBy: { args: TOOLBAR_ARGS },
      execute: () => this.onNotebook(panel => this.train(panel))
    });
    this.app.commands.addCommand(CommandIDs.exportNotebook, {
      label: args => (args['toolbar'] ? 'Export' : 'Export This Notebook: a Model or a Pipeline…'),
      caption:
        'Turn a model in the kernel into a tested version in git, or the notebook into a pipeline',
      icon: exportIcon,
      isEnabled,
      describedBy: { args: TOOLBAR_ARGS },
      execute: () => this.onNotebook(panel => this.export(panel))
    });
    this.app.commands.addCommand(CommandIDs.follow, {
      label: 'Follow a Job',
      describedBy: { args: FOLLOW_ARGS },
      execute: args => this.panels.follow(String(args['id']), String(args['name']))
    });
    this.app.commands.addCommand(CommandIDs.followPipeline, {
      label: 'Follow a Pipeline',
      describedBy: { args: FOLLOW_ARGS },
      execute: args => this.panels.followPipeline(placeOf(args))
    });
  }

  private async onNotebook(act: (panel: NotebookPanel) => Promise<void>): Promise<void> {
    const panel = this.notebooks.currentWidget;
    if (panel === null) {
      return;
    }
    try {
      await act(panel);
    } catch (error) {
      selectCell(panel, error);
      Notification.error(sentenceOf(error), { autoClose: false });
    }
  }

  private async train(panel: NotebookPanel): Promise<void> {
    await saved(panel);
    const view = await showTrainDialog({
      path: pathOf(panel),
      kernel: (await kernelOf(panel)).kernel,
      onProblem: error => selectCell(panel, error)
    });
    if (view !== undefined) {
      this.panels.follow(view.id, view.name, panel);
    }
  }

  private async export(panel: NotebookPanel): Promise<void> {
    await saved(panel);
    const { kernel, obstacle } = await kernelOf(panel);
    let problem: unknown = null;
    const exported = await showExportDialog({
      path: pathOf(panel),
      kernel,
      obstacle,
      onProblem: error => {
        problem = error;
        selectCell(panel, error);
      }
    });
    if (exported !== undefined) {
      await this.followExport(exported, panel);
    } else {
      selectCell(panel, problem); // the dialog gave the focus back to where it was
    }
  }

  private async followExport(exported: Exported, panel: NotebookPanel): Promise<void> {
    if (exported.kind === 'pipeline') {
      const { request_id: id, ...pushed } = exported.pushed;
      this.panels.followPipeline({ ...pushed, id: id ?? '', notebook: pathOf(panel) }, panel);
      return;
    }
    const exporting = new Exporting(exported.order, exported.kernel);
    const widget = framed(new ExportPanel(exporting, done => void this.serve(done)));
    this.panels.show(widget, panel);
    await exporting.start();
  }

  private async serve(done: ExportDone): Promise<void> {
    try {
      const body = { name: done.name, remote: done.remote, ref: done.ref, team: null };
      const view = await request<RequestView>('servings', { method: 'POST', body });
      this.panels.follow(view.id, `Serve ${done.ref}`);
    } catch (error) {
      Notification.error(sentenceOf(error), { autoClose: false });
    }
  }
}

const TOOLBAR_ARGS = {
  type: 'object' as const,
  properties: { toolbar: { type: 'boolean' as const } }
};
const FOLLOW_ARGS = {
  type: 'object' as const,
  properties: { id: { type: 'string' as const }, name: { type: 'string' as const } }
};

function selectCell(panel: NotebookPanel, error: unknown): void {
  if (error instanceof CapacityProblem && error.cell !== null) {
    panel.content.activeCellIndex = error.cell - 1;
    panel.content.activate();
  }
}

/** What travels is the file, so it has to be what the person sees. */
async function saved(panel: NotebookPanel): Promise<void> {
  if (panel.context.model.dirty) {
    await panel.context.save();
  }
}

function pathOf(panel: NotebookPanel): string {
  return panel.context.localPath;
}

interface KernelFound {
  kernel: Kernel.IKernelConnection | null;
  /** Why no model can be exported from it; empty where one can. */
  obstacle: string;
}

async function kernelOf(panel: NotebookPanel): Promise<KernelFound> {
  const kernel = panel.sessionContext.session?.kernel ?? null;
  if (kernel === null) {
    const obstacle =
      'This notebook has no kernel: choose one and run the cells that make the model.';
    return { kernel, obstacle };
  }
  const { language_info: language } = await kernel.info;
  const obstacle =
    language.name === 'python'
      ? ''
      : `This kernel speaks ${language.name}; models of Python kernels can be exported.`;
  return { kernel: obstacle === '' ? kernel : null, obstacle };
}
