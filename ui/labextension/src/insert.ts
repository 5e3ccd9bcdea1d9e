// Code put into the notebook that a person works in, as a cell of its own.
import type { JupyterFrontEnd } from '@jupyterlab/application';
import { INotebookTracker, NotebookActions } from '@jupyterlab/notebook';

/** Below the cell where the person is; it is tagged `skip`, so that it never travels with a job. */
export function insertCell(app: JupyterFrontEnd, notebooks: INotebookTracker, code: string): void {
  const panel = notebooks.currentWidget;
  if (panel === null) {
    throw new Error('There is no notebook to put the code into: open one first.');
  }
  NotebookActions.insertBelow(panel.content);
  const { model } = panel.content.activeCell ?? {};
  model?.sharedModel.setSource(code);
  model?.setMetadata('tags', ['skip']);
  app.shell.activateById(panel.id);
}
