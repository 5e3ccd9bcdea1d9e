// What can be done in the lake's browser, and the panels that it opens.
import type { JupyterFrontEnd } from '@jupyterlab/application';
import {
  Clipboard,
  Dialog,
  InputDialog,
  MainAreaWidget,
  Notification,
  showDialog,
  WidgetTracker
} from '@jupyterlab/apputils';
import type { INotebookTracker } from '@jupyterlab/notebook';
import type { ReadonlyPartialJSONObject } from '@lumino/coreutils';

import { lakeIcon } from './icons';
import { insertCell } from './insert';
import { Lake } from './lake';
import { LakeActs, LakePanel } from './lakePanel';
import { LakePreviewPanel, previewId } from './lakePreview';
import { framed, Panels } from './panels';
import { request, sentenceOf } from './request';
import type { LakeEntry, LakePreview } from './wire';
import { size } from './words';

export namespace LakeCommandIDs {
  export const show = 'capacity:lake';
  /** With `source` and `path` of a file: shows what it looks like. */
  export const preview = 'capacity:lake-preview';
}

export type PreviewTracker = WidgetTracker<MainAreaWidget<LakePreviewPanel>>;

export class LakeBrowser {
  readonly panel: LakePanel;
  readonly previews: PreviewTracker = new WidgetTracker({ namespace: 'capacity-lake-previews' });

  constructor(
    private readonly app: JupyterFrontEnd,
    private readonly notebooks: INotebookTracker,
    private readonly panels: Panels
  ) {
    this.panel = new LakePanel(this.lake, this.acts());
  }

  addCommands(): void {
    this.app.commands.addCommand(LakeCommandIDs.show, {
      label: 'Show the Lake: Browse, Preview and Upload Data',
      icon: lakeIcon,
      describedBy: { args: { type: 'object' as const, properties: {} } },
      execute: () => this.app.shell.activateById(this.panel.id)
    });
    this.app.commands.addCommand(LakeCommandIDs.preview, {
      label: 'Preview a File of the Lake',
      describedBy: { args: PREVIEW_ARGS },
      execute: args => this.preview(String(args['source']), String(args['path']))
    });
  }

  private acts(): LakeActs {
    return {
      preview: entry => this.preview(entry.source, entry.path),
      insertCode: entry => this.insertCodeOf(entry),
      copy: (text, what) => copied(text, what),
      delete: entry => this.delete(entry),
      makeFolder: () => this.makeFolder(),
      upload: files => this.upload(files)
    };
  }

  private preview(source: string, path: string): void {
    const known = this.previews.find(widget => widget.content.id === previewId(source, path));
    const widget = known ?? framed(new LakePreviewPanel(source, path, this.previewActs()));
    this.panels.show(widget, this.notebooks.currentWidget ?? undefined);
    if (known === undefined) {
      void this.previews.add(widget);
    }
  }

  private previewActs() {
    return {
      insertCode: (_: LakeEntry, code: string) => this.insert(code),
      copy: (text: string, what: string) => copied(text, what)
    };
  }

  private async insertCodeOf({ source, path }: LakeEntry): Promise<void> {
    const preview = await request<LakePreview>('lake/preview', { query: { source, path } });
    this.insert(preview.code);
  }

  private insert(code: string): void {
    insertCell(this.app, this.notebooks, code);
  }

  private async delete(entry: LakeEntry): Promise<void> {
    const answer = await showDialog({
      title: `Delete ${entry.name}?`,
      body: `${entry.uri} (${size(entry.size)}) is deleted for everybody of the team, for ever.`,
      buttons: [Dialog.cancelButton(), Dialog.warnButton({ label: 'Delete' })],
      defaultButton: 0
    });
    if (answer.button.accept) {
      await this.attempt(() => this.lake.delete(entry));
    }
  }

  private async makeFolder(): Promise<void> {
    const answer = await InputDialog.getText({
      title: 'New folder',
      label: 'Its name',
      okLabel: 'Make it'
    });
    const name = answer.value?.trim() ?? '';
    if (answer.button.accept && name !== '') {
      await this.attempt(() => this.lake.makeFolder(name));
    }
  }

  private upload(files: readonly File[]): void {
    const { lake } = this;
    const most = lake.sources?.max_upload_bytes ?? Infinity;
    if (!lake.isWritable) {
      Notification.error('Nothing can be uploaded here: this place is read-only.');
      return;
    }
    for (const file of files) {
      if (file.size > most) {
        Notification.error(
          `${file.name} has ${size(file.size)}; ${size(most)} can be uploaded here: write it from a notebook.`,
          { autoClose: false }
        );
      } else {
        void lake.upload(file, mayReplace);
      }
    }
  }

  private async attempt(act: () => Promise<void>): Promise<void> {
    try {
      await act();
    } catch (error) {
      Notification.error(sentenceOf(error), { autoClose: false });
    }
  }

  private readonly lake = new Lake();
}

const PREVIEW_ARGS = {
  type: 'object' as const,
  properties: { source: { type: 'string' as const }, path: { type: 'string' as const } }
};

/** The arguments that bring a preview back after the page was loaded again. */
export function previewArgs(widget: MainAreaWidget<LakePreviewPanel>): ReadonlyPartialJSONObject {
  return { source: widget.content.source, path: widget.content.path };
}

function copied(text: string, what: string): void {
  Clipboard.copyToSystem(text);
  Notification.success(`The ${what} was copied: ${text}`, { autoClose: 3000 });
}

async function mayReplace(name: string): Promise<boolean> {
  const answer = await showDialog({
    title: `Replace ${name}?`,
    body: 'A file of that name is there already. Replacing it cannot be undone.',
    buttons: [Dialog.cancelButton(), Dialog.warnButton({ label: 'Replace' })],
    defaultButton: 0
  });
  return answer.button.accept;
}
