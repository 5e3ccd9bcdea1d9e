// The plugin: commands, their places in the palette, and panels that come back with the page.
import { ILayoutRestorer, JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ICommandPalette, MainAreaWidget, WidgetTracker } from '@jupyterlab/apputils';
import { INotebookTracker } from '@jupyterlab/notebook';

import { Buttons, CommandIDs, restoredBy } from './commands';
import type { JobPanel } from './jobPanel';

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
  const jobs = new WidgetTracker<MainAreaWidget<JobPanel>>({ namespace: 'capacity-jobs' });
  new Buttons(app, notebooks, jobs).addCommands();
  const category = 'Notebook Operations';
  palette?.addItem({ command: CommandIDs.train, category });
  palette?.addItem({ command: CommandIDs.exportModel, category });
  void restorer?.restore(jobs, {
    command: CommandIDs.follow,
    args: restoredBy,
    name: widget => widget.content.followed.id
  });
}

export default plugin;
