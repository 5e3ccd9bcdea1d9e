// What the buttons do: save, ask, follow.
import type { JupyterFrontEnd } from '@jupyterlab/application';
import { MainAreaWidget, Notification, WidgetTracker } from '@jupyterlab/apputils';
import type { INotebookTracker, NotebookPanel } from '@jupyterlab/notebook';
import type { Kernel } from '@jupyterlab/services';
import type { ReadonlyPartialJSONObject } from '@lumino/coreutils';
import type { Widget } from '@lumino/widgets';

import { showExportDialog } from './exportDialog';
import { Exporting } from './exporting';
import { ExportPanel } from './exportPanel';
import { Following } from './following';
import { exportIcon, jobIcon } from './icons';
import { JobPanel } from './jobPanel';
import { CapacityProblem, request, sentenceOf } from './request';
import { showTrainDialog } from './trainDialog';
import type { ExportDone, RequestView, TrainForm } from './wire';

export namespace CommandIDs {
  export const train = 'capacity:train';
  export const exportModel = 'capacity:export';
  /** With `id` and `name` of a request: shows the panel that follows it. */
  export const follow = 'capacity:follow';
}

export type JobTracker = WidgetTracker<MainAreaWidget<JobPanel>>;

export class Buttons {
  constructor(
    private readonly app: JupyterFrontEnd,
    private readonly notebooks: INotebookTracker,
    private readonly jobs: JobTracker
  ) {}

  private newest: Widget | null = null;

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
    this.app.commands.addCommand(CommandIDs.exportModel, {
      label: args => (args['toolbar'] ? 'Export' : 'Export a Model of This Notebook…'),
      caption: 'Turn a model in the kernel into a tested version in git',
      icon: exportIcon,
      isEnabled,
      describedBy: { args: TOOLBAR_ARGS },
      execute: () => this.onNotebook(panel => this.exportModel(panel))
    });
    this.app.commands.addCommand(CommandIDs.follow, {
      label: 'Follow a Job',
      describedBy: { args: FOLLOW_ARGS },
      execute: args => this.follow(String(args['id']), String(args['name']))
    });
  }

  /** Show the panel of a request; one that is open already comes to the front. */
  private follow(id: string, name: string, notebook?: Widget): void {
    const known = this.jobs.find(widget => widget.content.id === `capacity-job-${id}`);
    const widget = known ?? framed(new JobPanel(new Following(id), name));
    if (known === undefined) {
      widget.id = `capacity-${id}`;
      this.show(widget, notebook);
      void this.jobs.add(widget);
    }
    this.app.shell.activateById(widget.id);
  }

  /** Beside the notebook; where a panel of ours is open already, as a tab of the same place. */
  private show(widget: Widget, notebook?: Widget): void {
    const ours = this.newest?.isAttached ? this.newest : undefined;
    const ref = ours ?? notebook;
    const mode = ours === undefined ? ('split-right' as const) : ('tab-after' as const);
    this.app.shell.add(widget, 'main', ref === undefined ? {} : { ref: ref.id, mode });
    this.newest = widget;
  }

  private async onNotebook(act: (panel: NotebookPanel) => Promise<void>): Promise<void> {
    const panel = this.notebooks.currentWidget;
    if (panel === null) {
      return;
    }
    try {
      await act(panel);
    } catch (error) {
      if (error instanceof CapacityProblem && error.cell !== null) {
        panel.content.activeCellIndex = error.cell - 1;
      }
      Notification.error(sentenceOf(error), { autoClose: false });
    }
  }

  private async train(panel: NotebookPanel): Promise<void> {
    await saved(panel);
    const path = pathOf(panel);
    const form = await request<TrainForm>('notebook', { query: { path } });
    const view = await showTrainDialog(form);
    if (view !== undefined) {
      this.follow(view.id, view.name, panel);
    }
  }

  private async exportModel(panel: NotebookPanel): Promise<void> {
    await saved(panel);
    const kernel = await kernelOf(panel);
    const order = await showExportDialog(pathOf(panel), kernel);
    if (order === undefined) {
      return;
    }
    const exporting = new Exporting(order, kernel);
    const content = new ExportPanel(exporting, done => void this.serve(done));
    const widget = framed(content);
    this.show(widget, panel);
    this.app.shell.activateById(widget.id);
    await exporting.start();
  }

  private async serve(done: ExportDone): Promise<void> {
    try {
      const body = { name: done.name, remote: done.remote, ref: done.ref, team: null };
      const view = await request<RequestView>('servings', { method: 'POST', body });
      this.follow(view.id, `Serve ${done.ref}`);
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

/** The arguments that bring a job's panel back after the page was loaded again. */
export function restoredBy(widget: MainAreaWidget<JobPanel>): ReadonlyPartialJSONObject {
  return { id: widget.content.followed.id, name: widget.title.label };
}

function framed<T extends Widget>(content: T): MainAreaWidget<T> {
  const widget = new MainAreaWidget({ content });
  widget.toolbar.hide();
  return widget;
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

async function kernelOf(panel: NotebookPanel): Promise<Kernel.IKernelConnection> {
  const kernel = panel.sessionContext.session?.kernel ?? null;
  if (kernel === null) {
    throw new Error(
      'This notebook has no kernel: choose one and run the cells that make the model.'
    );
  }
  const { language_info: language } = await kernel.info;
  if (language.name !== 'python') {
    throw new Error(
      `This kernel speaks ${language.name}; models of Python kernels can be exported.`
    );
  }
  return kernel;
}
