// Where the panels stand, and how they come back with the page.
import type { JupyterFrontEnd } from '@jupyterlab/application';
import { MainAreaWidget, WidgetTracker } from '@jupyterlab/apputils';
import type { INotebookTracker, NotebookPanel } from '@jupyterlab/notebook';
import type { ReadonlyPartialJSONObject } from '@lumino/coreutils';
import type { Widget } from '@lumino/widgets';

import { Following } from './following';
import { insertCell } from './insert';
import { JobPanel } from './jobPanel';
import { Pipeline } from './pipeline';
import { PipelinePanel } from './pipelinePanel';
import { panelId, PipelinePlace } from './pipelinePlace';
import { PushedPanel } from './pushedPanel';
import { request } from './request';
import type { RequestView } from './wire';

export type JobTracker = WidgetTracker<MainAreaWidget<JobPanel>>;
export type PipelineTracker = WidgetTracker<MainAreaWidget<PipelinePanel | PushedPanel>>;

export class Panels {
  readonly jobs: JobTracker = new WidgetTracker({ namespace: 'capacity-jobs' });
  readonly pipelines: PipelineTracker = new WidgetTracker({ namespace: 'capacity-pipelines' });

  constructor(
    private readonly app: JupyterFrontEnd,
    private readonly notebooks: INotebookTracker
  ) {}

  /** Show the panel of a request; one that is open already comes to the front. */
  follow(id: string, name: string, beside?: Widget): void {
    const known = this.jobs.find(widget => widget.content.id === `capacity-job-${id}`);
    const widget = known ?? framed(this.jobPanelOf(id, name));
    this.show(widget, beside);
    if (known === undefined) {
      void this.jobs.add(widget);
    }
  }

  /** Show the panel of a pipeline, as `follow` does. */
  followPipeline(place: PipelinePlace, beside?: Widget): void {
    const known = this.pipelines.find(widget => widget.content.id === panelId(place));
    const widget = known ?? framed(this.panelOf(place));
    this.show(widget, beside);
    if (known === undefined) {
      void this.pipelines.add(widget);
    }
  }

  /** Beside the notebook; where a panel of ours is open already, as a tab of the same place. */
  show(widget: MainAreaWidget, beside?: Widget): void {
    if (!widget.isAttached) {
      const ours = this.newest?.isAttached ? this.newest : undefined;
      const ref = ours ?? beside;
      const mode = ours === undefined ? ('split-right' as const) : ('tab-after' as const);
      this.app.shell.add(widget, 'main', ref === undefined ? {} : { ref: ref.id, mode });
      this.newest = widget;
    }
    this.app.shell.activateById(widget.id);
  }

  private jobPanelOf(id: string, name: string): JobPanel {
    return new JobPanel(new Following(id), name, code =>
      insertCell(this.app, this.notebooks, code)
    );
  }

  private panelOf(place: PipelinePlace): PipelinePanel | PushedPanel {
    return place.id === ''
      ? new PushedPanel(place, () => this.run(place))
      : new PipelinePanel(new Pipeline(place.id), place, {
          follow: view => this.follow(view.id, titleOf(view)),
          onAgain: view => this.followPipeline({ ...place, id: view.id, lines: [] }),
          showCell: (notebook, cell) => void this.showCell(notebook, cell)
        });
  }

  private async run(place: PipelinePlace): Promise<void> {
    const { name, remote, commit } = place;
    const body = { name, remote, commit };
    const view = await request<RequestView>('runs', { method: 'POST', body });
    this.followPipeline({ ...place, id: view.id });
  }

  private async showCell(path: string, cell: number): Promise<void> {
    const opened = await this.app.commands.execute('docmanager:open', { path });
    const panel = opened as NotebookPanel;
    await panel.context.ready;
    panel.content.activeCellIndex = cell - 1;
    this.app.shell.activateById(panel.id);
  }

  private newest: Widget | null = null;
}

/** The arguments that bring a job's panel back after the page was loaded again. */
export function jobArgs(widget: MainAreaWidget<JobPanel>): ReadonlyPartialJSONObject {
  return { id: widget.content.followed.id, name: widget.title.label };
}

/** The same of a pipeline's. */
export function pipelineArgs(
  widget: MainAreaWidget<PipelinePanel | PushedPanel>
): ReadonlyPartialJSONObject {
  return { ...widget.content.place };
}

export function framed<T extends Widget>(content: T): MainAreaWidget<T> {
  const widget = new MainAreaWidget({ content });
  widget.toolbar.hide();
  return widget;
}

function titleOf(view: RequestView): string {
  return view.kind === 'serving' ? `Serve ${view.name}` : view.name;
}
