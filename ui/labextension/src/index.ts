// The plugin: commands, their places in the palette, and panels that come back with the page.
import { ILayoutRestorer, JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ICommandPalette } from '@jupyterlab/apputils';
import { INotebookTracker } from '@jupyterlab/notebook';

import { Buttons, CommandIDs } from './commands';
import { LakeBrowser, LakeCommandIDs, previewArgs } from './lakeCommands';
import { jobArgs, Panels, pipelineArgs } from './panels';

/** Below the files, above the running kernels. */
const LAKE_RANK = 150;

const plugin: JupyterFrontEndPlugin<void> = {
  id: 'jupyterhub-mesos-lab:plugin',
  description:
    'Train and Export buttons on notebooks and the lake’s browser, for a hub with the capacity service.',
  autoStart: true,
  requires: [INotebookTracker],
  optional: [ICommandPalette, ILayoutRestorer],
  activate
};

function activate(
  app: JupyterFrontEnd,
  notebooks: INotebookTracker,
  palette: ICommandPalette | null,
  restorer: ILayoutRestorer | null
): void {
  const panels = new Panels(app, notebooks);
  new Buttons(app, notebooks, panels).addCommands();
  const category = 'Notebook Operations';
  palette?.addItem({ command: CommandIDs.train, category });
  palette?.addItem({ command: CommandIDs.exportNotebook, category });
  showLake(app, new LakeBrowser(app, notebooks, panels), palette, restorer);
  void restorer?.restore(panels.jobs, {
    command: CommandIDs.follow,
    args: jobArgs,
    name: widget => widget.content.followed.id
  });
  void restorer?.restore(panels.pipelines, {
    command: CommandIDs.followPipeline,
    args: pipelineArgs,
    name: widget => widget.content.id
  });
}

function showLake(
  app: JupyterFrontEnd,
  browser: LakeBrowser,
  palette: ICommandPalette | null,
  restorer: ILayoutRestorer | null
): void {
  browser.addCommands();
  app.shell.add(browser.panel, 'left', { rank: LAKE_RANK });
  palette?.addItem({ command: LakeCommandIDs.show, category: 'File Operations' });
  restorer?.add(browser.panel, browser.panel.id);
  void restorer?.restore(browser.previews, {
    command: LakeCommandIDs.preview,
    args: previewArgs,
    name: widget => widget.content.id
  });
}

export default plugin;
