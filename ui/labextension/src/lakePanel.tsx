// The lake's browser at the left: sources, folders, what can be done with the chosen file, uploads on their way.
import {
  fileIcon,
  fileUploadIcon,
  folderIcon,
  HTMLSelect,
  LabIcon,
  newFolderIcon,
  ReactWidget,
  refreshIcon
} from '@jupyterlab/ui-components';
import * as React from 'react';

import { lakeIcon } from './icons';
import type { Lake, Sort } from './lake';
import { Uploads } from './lakeUploads';
import { Listbox } from './listbox';
import { Action, Notice } from './panel';
import type { LakeEntry, LakeSource } from './wire';
import { size, when } from './words';

export interface LakeActs {
  preview: (entry: LakeEntry) => void;
  insertCode: (entry: LakeEntry) => Promise<void>;
  copy: (text: string, what: string) => void;
  delete: (entry: LakeEntry) => Promise<void>;
  makeFolder: () => Promise<void>;
  upload: (files: readonly File[]) => void;
}

const SORTS: ReadonlyArray<readonly [Sort, string]> = [
  ['name', 'Name'],
  ['modified', 'Newest first'],
  ['size', 'Largest first']
];

export class LakePanel extends ReactWidget {
  constructor(
    readonly lake: Lake,
    private readonly acts: LakeActs
  ) {
    super();
    this.id = 'capacity-lake';
    this.addClass('capacity-Lake');
    this.title.icon = lakeIcon;
    this.title.caption = 'Lake';
    this.node.setAttribute('role', 'region');
    this.node.setAttribute('aria-label', 'Lake');
    lake.changed.connect(() => this.update());
  }

  protected override onAfterShow(): void {
    void this.lake.refresh();
  }

  protected render(): React.JSX.Element {
    const { lake, acts } = this;
    return (
      <div
        className="capacity-Lake-drop"
        onDragOver={event => lake.isWritable && event.preventDefault()}
        onDrop={event => {
          event.preventDefault();
          acts.upload(Array.from(event.dataTransfer.files));
        }}
      >
        <Tools lake={lake} acts={acts} />
        <Crumbs lake={lake} />
        <Notice text={lake.problem} tone="bad" />
        {lake.folder === null ? <Sources lake={lake} /> : <Entries lake={lake} acts={acts} />}
        {lake.entry !== null && <Chosen entry={lake.entry} lake={lake} acts={acts} />}
        <Uploads lake={lake} />
      </div>
    );
  }
}

interface Props {
  lake: Lake;
  acts: LakeActs;
}

function Tools({ lake, acts }: Props): React.JSX.Element {
  const picker = React.useRef<HTMLInputElement>(null);
  return (
    <div className="capacity-Lake-tools" role="toolbar" aria-label="Lake">
      <h2>Lake</h2>
      <Tool
        icon={fileUploadIcon}
        label="Upload files here"
        isDisabled={!lake.isWritable}
        onPress={() => picker.current?.click()}
      />
      <Tool
        icon={newFolderIcon}
        label="New folder"
        isDisabled={!lake.isWritable}
        onPress={() => void acts.makeFolder()}
      />
      <Tool icon={refreshIcon} label="Refresh" onPress={() => void lake.refresh()} />
      <input
        ref={picker}
        type="file"
        multiple
        hidden
        aria-label="Files to upload"
        onChange={event => {
          acts.upload(Array.from(event.target.files ?? []));
          event.target.value = ''; // the same file may be chosen again
        }}
      />
    </div>
  );
}

interface ToolProps {
  icon: LabIcon;
  label: string;
  onPress: () => void;
  isDisabled?: boolean;
}

function Tool({ icon, label, onPress, isDisabled = false }: ToolProps): React.JSX.Element {
  return (
    <button
      type="button"
      className="jp-Button jp-mod-minimal"
      title={label}
      aria-label={label}
      disabled={isDisabled}
      onClick={onPress}
    >
      <icon.react tag="span" elementSize="normal" />
    </button>
  );
}

function Crumbs({ lake }: { lake: Lake }): React.JSX.Element | null {
  const { folder } = lake;
  if (folder === null) {
    return null;
  }
  const parts = folder.path === '' ? [] : folder.path.split('/');
  const places = parts.map((name, at) => [name, parts.slice(0, at + 1).join('/')] as const);
  const crumbs = [[folder.source.title, ''] as const, ...places];
  return (
    <nav className="capacity-Lake-crumbs" aria-label="Place in the lake">
      <button type="button" onClick={() => void lake.leave()}>
        Lake
      </button>
      {crumbs.map(([name, path], at) => (
        <React.Fragment key={path}>
          <span aria-hidden="true">/</span>
          <button
            type="button"
            aria-current={at === crumbs.length - 1 ? 'location' : undefined}
            onClick={() => void lake.open({ ...folder, path })}
          >
            {name}
          </button>
        </React.Fragment>
      ))}
      {lake.listing?.is_writable === false && (
        <span className="capacity-Lake-badge">read-only</span>
      )}
    </nav>
  );
}

function Sources({ lake }: { lake: Lake }): React.JSX.Element {
  const { sources } = lake;
  if (sources === null) {
    return <Patience lake={lake} />;
  }
  if (sources.sources.length === 0) {
    return <p className="capacity-Lake-empty">{sources.lacking}</p>;
  }
  const openable = sources.sources.filter(source => source.lacking === '');
  return (
    <>
      <Listbox
        label="Sources"
        items={openable}
        keyOf={source => source.name}
        selected={lake.selected}
        onSelect={source => lake.select(source.name)}
        onOpen={source => void lake.open({ source, path: '' })}
        draw={source => <SourceRow source={source} />}
      />
      {sources.sources
        .filter(source => source.lacking !== '')
        .map(source => (
          <p key={source.name} className="capacity-Form-warning">
            {source.title}: {source.lacking}
          </p>
        ))}
    </>
  );
}

function SourceRow({ source }: { source: LakeSource }): React.JSX.Element {
  return (
    <>
      <lakeIcon.react tag="span" elementSize="normal" />
      <span className="capacity-Lake-name">{source.title}</span>
      <span className="capacity-Lake-size">
        {source.kind === 's3' ? 'S3' : 'folder'}
        {source.is_writable ? '' : ', read-only'}
      </span>
      <span className="capacity-Lake-when">{source.uri}</span>
    </>
  );
}

function Entries({ lake, acts }: Props): React.JSX.Element {
  const { listing, folder } = lake;
  if (listing === null || folder === null) {
    return <Patience lake={lake} />;
  }
  const open = (entry: LakeEntry) => {
    if (entry.is_folder) {
      void lake.open({ ...folder, path: entry.path });
    } else {
      acts.preview(entry);
    }
  };
  return (
    <>
      <Order lake={lake} />
      {listing.total === 0 && (
        <p className="capacity-Lake-empty">
          This folder is empty.{listing.is_writable ? ' Drop files here to upload them.' : ''}
        </p>
      )}
      <Listbox
        label="Files"
        items={lake.entries}
        keyOf={entry => entry.path}
        selected={lake.selected}
        onSelect={entry => lake.select(entry.path)}
        onOpen={open}
        onUp={() => void lake.up()}
        onDelete={entry => listing.is_writable && !entry.is_folder && void acts.delete(entry)}
        draw={entry => <EntryRow entry={entry} />}
      />
      {lake.isMore && (
        <Action
          label={`Show more (${lake.entries.length} of ${listing.total})`}
          onPress={() => lake.more()}
        />
      )}
      {listing.is_partial && !lake.isMore && (
        <p className="capacity-Form-help">There are more than these: open them from a program.</p>
      )}
    </>
  );
}

function Order({ lake }: { lake: Lake }): React.JSX.Element {
  return (
    <div className="capacity-Lake-order">
      <HTMLSelect
        aria-label="Order"
        value={lake.sort}
        onChange={event => void lake.sortBy(event.target.value as Sort)}
      >
        {SORTS.map(([sort, shown]) => (
          <option key={sort} value={sort}>
            {shown}
          </option>
        ))}
      </HTMLSelect>
      <span className="capacity-Form-help" aria-live="polite">
        {lake.isLoading ? 'Looking …' : countOf(lake.listing?.total ?? 0)}
      </span>
    </div>
  );
}

function EntryRow({ entry }: { entry: LakeEntry }): React.JSX.Element {
  const icon = entry.is_folder ? folderIcon : fileIcon;
  return (
    <>
      <icon.react tag="span" elementSize="normal" />
      <span className="capacity-Lake-name">{entry.name}</span>
      <span className="capacity-Lake-size">{size(entry.size)}</span>
      <span className="capacity-Lake-when">{when(entry.modified)}</span>
    </>
  );
}

interface ChosenProps extends Props {
  entry: LakeEntry;
}

function Chosen({ entry, lake, acts }: ChosenProps): React.JSX.Element {
  return (
    <section className="capacity-Lake-chosen" aria-label={entry.name}>
      <strong>{entry.name}</strong>
      <div className="capacity-Lake-acts">
        {!entry.is_folder && (
          <>
            <Action label="Preview" onPress={() => acts.preview(entry)} />
            <Action label="Insert code" onPress={() => acts.insertCode(entry)} />
          </>
        )}
        <Action label="Copy path" onPress={() => acts.copy(entry.place, 'path')} />
        <Action label="Copy URI" onPress={() => acts.copy(entry.uri, 'URI')} />
        {!entry.is_folder && lake.isWritable && (
          <Action label="Delete" onPress={() => acts.delete(entry)} />
        )}
      </div>
    </section>
  );
}

function Patience({ lake }: { lake: Lake }): React.JSX.Element | null {
  return lake.isLoading ? (
    <p className="capacity-Lake-empty" aria-live="polite">
      Looking …
    </p>
  ) : null;
}

function countOf(total: number): string {
  return total === 1 ? '1 entry' : `${total} entries`;
}
