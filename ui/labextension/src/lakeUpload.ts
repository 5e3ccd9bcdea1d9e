// One file on its way into the lake: how far it is, cancel, and what went wrong.
import { ServerConnection } from '@jupyterlab/services';
import { ISignal, Signal } from '@lumino/signaling';

import { addressOf, CapacityProblem, problemOf } from './request';

const XSRF = /(?:^|;\s*)_xsrf=([^;]*)/;

export type UploadState = 'sending' | 'done' | 'cancelled' | 'failed';

export class LakeUpload {
  state: UploadState = 'sending';
  /** Of the file, from 0 to 1. */
  share = 0;
  sentence = '';

  constructor(
    readonly file: File,
    readonly source: string,
    readonly path: string
  ) {}

  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** Send it; rejects with a `CapacityProblem` (409 where there is one already), and resolves false after a cancel. */
  send(mayReplace: boolean): Promise<boolean> {
    this.move('sending');
    this.share = 0;
    return new Promise((resolve, reject) => {
      const xhr = new XMLHttpRequest(); // fetch cannot say how much was sent
      this._xhr = xhr;
      const { source, path } = this;
      xhr.open('PUT', addressOf('lake/file', { source, path, overwrite: String(mayReplace) }));
      authorise(xhr);
      xhr.upload.onprogress = ({ loaded, total }) => this.say(total === 0 ? 1 : loaded / total);
      xhr.onload = () => {
        if (xhr.status < 400) {
          this.move('done');
          resolve(true);
        } else {
          reject(problemOf(xhr.status, xhr.responseText));
        }
      };
      xhr.onerror = () =>
        reject(new CapacityProblem('The connection broke; nothing of the file was kept.', 0));
      xhr.onabort = () => {
        this.move('cancelled');
        resolve(false);
      };
      xhr.send(this.file);
    });
  }

  cancel(): void {
    this._xhr?.abort();
  }

  /** It ends here, for a reason that is said. */
  end(state: UploadState, sentence = ''): void {
    this.sentence = sentence;
    this.move(state);
  }

  private say(share: number): void {
    this.share = share;
    this._changed.emit();
  }

  private move(state: UploadState): void {
    this.state = state;
    this._changed.emit();
  }

  private _xhr: XMLHttpRequest | null = null;
  private readonly _changed = new Signal<this, void>(this);
}

/** As JupyterLab's own calls are: by its token where it has one, else by the cookies. */
function authorise(xhr: XMLHttpRequest): void {
  const { token } = ServerConnection.makeSettings();
  if (token !== '') {
    xhr.setRequestHeader('Authorization', `token ${token}`);
  }
  const cookie = XSRF.exec(document.cookie)?.[1];
  if (cookie !== undefined) {
    xhr.setRequestHeader('X-XSRFToken', cookie);
  }
  xhr.setRequestHeader('Content-Type', 'application/octet-stream');
}
