// The plugin: commands, their places in the palette, and panels that come back with the page.
import { ILayoutRestorer, JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ICommandPalette } from '@jupyterlab/apputils';
import { INotebookTracker } from '@jupyterlab/notebook';

import { Buttons, CommandIDs } from './commands';
import { jobArgs, Panels, pipelineArgs } from './panels';

const plugin: JupyterFrontEndPlugin<void> = {
  id: 'jupyterhub-mesos-lab:plugin',
  description: 'Train and Export buttons on notebooks, for a hub with the capacity service.',
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
  const panels = new Panels(app);
  new Buttons(app, notebooks, panels).addCommands();
  const category = 'Notebook Operations';
  palette?.addItem({ command: CommandIDs.train, category });
  palette?.addItem({ command: CommandIDs.exportNotebook, category });
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

export default plugin;
