// The lake as its browser shows it: the sources, one folder of one of them, and the uploads into it.
import { ISignal, Signal } from '@lumino/signaling';

import { LakeUpload } from './lakeUpload';
import { CapacityProblem, request, sentenceOf } from './request';
import type { LakeEntry, LakeListing, LakeSource, LakeSources } from './wire';

const PAGE = 200;

export type Sort = LakeListing['sort'];

export interface Folder {
  source: LakeSource;
  path: string;
}

export class Lake {
  sources: LakeSources | null = null;
  /** What is open; null for the list of the sources. */
  folder: Folder | null = null;
  listing: LakeListing | null = null;
  entries: LakeEntry[] = [];
  selected: string | null = null;
  sort: Sort = 'name';
  isLoading = false;
  problem = '';
  uploads: LakeUpload[] = [];

  get changed(): ISignal<this, void> {
    return this._changed;
  }

  get isWritable(): boolean {
    return this.listing?.is_writable ?? false;
  }

  get isMore(): boolean {
    return this.listing !== null && this.entries.length < this.listing.total;
  }

  get entry(): LakeEntry | null {
    return this.entries.find(known => known.path === this.selected) ?? null;
  }

  /** Look anew at what is open. */
  async refresh(): Promise<void> {
    if (this.folder === null) {
      await this.load(async () => {
        const sources = await request<LakeSources>('lake/sources');
        return () => (this.sources = sources);
      });
    } else {
      await this.open(this.folder, this.selected);
    }
  }

  /** Show the list of the sources. */
  async leave(): Promise<void> {
    this.selected = this.folder?.source.name ?? null;
    this.folder = this.listing = null;
    this.entries = [];
    await this.refresh();
  }

  async open(folder: Folder, selected: string | null = null): Promise<void> {
    const isElsewhere =
      this.folder?.source.name !== folder.source.name || this.folder.path !== folder.path;
    if (isElsewhere) {
      this.listing = null;
      this.entries = [];
    }
    this.folder = folder;
    this.selected = selected;
    await this.load(async () => {
      const listing = await this.page(folder, 0);
      return () => {
        this.listing = listing;
        this.entries = [...listing.entries];
      };
    });
  }

  /** Add the next page to what is listed. */
  async more(): Promise<void> {
    const { folder } = this;
    if (folder !== null) {
      await this.load(async () => {
        const listing = await this.page(folder, this.entries.length);
        return () => {
          this.listing = listing;
          this.entries = [...this.entries, ...listing.entries];
        };
      });
    }
  }

  async up(): Promise<void> {
    const { folder } = this;
    if (folder === null || folder.path === '') {
      await this.leave();
    } else {
      await this.open({ ...folder, path: parentOf(folder.path) }, folder.path);
    }
  }

  async sortBy(sort: Sort): Promise<void> {
    this.sort = sort;
    await this.refresh();
  }

  select(path: string | null): void {
    this.selected = path;
    this._changed.emit();
  }

  async makeFolder(name: string): Promise<void> {
    if (this.folder !== null) {
      const { source, path } = this.folder;
      const body = { source: source.name, path: joined(path, name) };
      const made = await request<LakeEntry>('lake/folders', { method: 'POST', body });
      await this.open(this.folder, made.path);
    }
  }

  async delete(entry: LakeEntry): Promise<void> {
    const { source, path } = entry;
    await request<void>('lake/file', {
      method: 'DELETE',
      query: { source, path, confirm: 'true' }
    });
    this.selected = null;
    await this.refresh();
  }

  /** Send a file into the open folder; `ask` is asked where one of its name is there. */
  async upload(file: File, ask: (name: string) => Promise<boolean>): Promise<void> {
    const { folder } = this;
    if (folder === null) {
      return;
    }
    const upload = new LakeUpload(file, folder.source.name, joined(folder.path, file.name));
    upload.changed.connect(() => this._changed.emit());
    this.uploads = [...this.uploads, upload];
    await sent(upload, ask);
    if (upload.state === 'done') {
      this.forget(upload);
      await this.show(upload);
    }
  }

  forget(upload: LakeUpload): void {
    this.uploads = this.uploads.filter(known => known !== upload);
    this._changed.emit();
  }

  /** Where the folder of an upload is still open, it shows the new file. */
  private async show(upload: LakeUpload): Promise<void> {
    const { folder } = this;
    if (folder?.source.name === upload.source && folder.path === parentOf(upload.path)) {
      await this.open(folder, upload.path);
    }
  }

  private page({ source, path }: Folder, offset: number): Promise<LakeListing> {
    return request<LakeListing>('lake/list', {
      query: {
        source: source.name,
        path,
        sort: this.sort,
        descending: String(this.sort !== 'name'),
        offset: String(offset),
        limit: String(PAGE)
      }
    });
  }

  /** Ask, and take the answer over unless something else was asked for meanwhile. */
  private async load(ask: () => Promise<() => void>): Promise<void> {
    const turn = ++this._turn;
    this.isLoading = true;
    this.problem = '';
    this._changed.emit();
    let take = () => undefined as void;
    let problem = '';
    try {
      take = await ask();
    } catch (error) {
      problem = sentenceOf(error);
    }
    if (turn === this._turn) {
      take();
      this.isLoading = false;
      this.problem = problem;
      this._changed.emit();
    }
  }

  private _turn = 0;
  private readonly _changed = new Signal<this, void>(this);
}

async function sent(upload: LakeUpload, ask: (name: string) => Promise<boolean>): Promise<void> {
  try {
    await upload.send(false);
  } catch (error) {
    if (!(error instanceof CapacityProblem) || error.status !== 409) {
      upload.end('failed', sentenceOf(error));
    } else if (await ask(upload.file.name)) {
      await upload.send(true).catch(again => upload.end('failed', sentenceOf(again)));
    } else {
      upload.end('cancelled');
    }
  }
}

export function parentOf(path: string): string {
  return path.includes('/') ? path.replace(/\/[^/]*$/, '') : '';
}

function joined(path: string, name: string): string {
  return path === '' ? name : `${path}/${name}`;
}
