// What a file of the lake looks like: its first rows with their types, its picture, its arrays or its beginning.
import { ReactWidget } from '@jupyterlab/ui-components';
import * as React from 'react';

import { lakeIcon } from './icons';
import { Action, Head, Notice } from './panel';
import { request, sentenceOf } from './request';
import type { LakeEntry, LakeImage, LakePreview, LakeTable } from './wire';
import { size, when } from './words';

export interface PreviewActs {
  insertCode: (entry: LakeEntry, code: string) => void;
  copy: (text: string, what: string) => void;
}

export class LakePreviewPanel extends ReactWidget {
  constructor(
    readonly source: string,
    readonly path: string,
    private readonly acts: PreviewActs
  ) {
    super();
    this.id = previewId(source, path);
    this.addClass('capacity-Panel');
    this.title.icon = lakeIcon;
    this.title.label = path.replace(/^.*\//, '');
    this.title.caption = `${source}/${path}`;
    this.title.closable = true;
    void this.look();
  }

  async look(): Promise<void> {
    const { source, path } = this;
    try {
      this.preview = await request<LakePreview>('lake/preview', { query: { source, path } });
      this.problem = '';
    } catch (error) {
      this.problem = sentenceOf(error);
    }
    this.update();
  }

  protected render(): React.JSX.Element {
    const { preview, problem, acts } = this;
    if (preview === null) {
      return problem === '' ? (
        <p aria-live="polite">Looking …</p>
      ) : (
        <>
          <Notice text={problem} tone="bad" />
          <Action label="Look again" onPress={() => this.look()} />
        </>
      );
    }
    const { entry, summary, is_cut: isCut, code } = preview;
    const facts = [summary, size(entry.size), when(entry.modified)].filter(fact => fact !== '');
    return (
      <>
        <Head title={entry.name} word={isCut ? 'beginning' : 'whole'} tone="neutral">
          <Action label="Insert code" onPress={() => acts.insertCode(entry, code)} />
          <Action label="Copy path" onPress={() => acts.copy(entry.place, 'path')} />
          <Action label="Refresh" onPress={() => this.look()} />
        </Head>
        <p className="capacity-Form-help">
          {entry.uri} · {facts.join(' · ')}
        </p>
        <Notice text={problem} tone="bad" />
        <Content preview={preview} />
      </>
    );
  }

  private preview: LakePreview | null = null;
  private problem = '';
}

export function previewId(source: string, path: string): string {
  return `capacity-lake-preview-${source}/${path}`;
}

function Content({ preview }: { preview: LakePreview }): React.JSX.Element {
  const { content, entry } = preview;
  switch (content.kind) {
    case 'table':
      return <Table table={content} />;
    case 'arrays':
      return (
        <Grid
          label="Arrays"
          heads={[
            ['array', ''],
            ['type', ''],
            ['shape', '']
          ]}
          rows={content.arrays.map(({ name, dtype, shape }) => [name, dtype, shape.join(' × ')])}
        />
      );
    case 'image':
      return <Picture image={content} name={entry.name} />;
    case 'text':
      return (
        <pre className="capacity-Log capacity-Lake-text" tabIndex={0} aria-label={entry.name}>
          {content.text}
        </pre>
      );
    case 'nothing':
      return <Notice text={content.sentence} tone="neutral" />;
  }
}

function Table({ table }: { table: LakeTable }): React.JSX.Element {
  const { columns, rows, total_rows: total } = table;
  return (
    <>
      <Grid
        label="First rows"
        heads={columns.map(({ name, type }) => [name, type] as const)}
        rows={rows}
      />
      <p className="capacity-Form-help">
        {rows.length} rows are shown{total === null ? '' : ` of ${total}`}.
      </p>
    </>
  );
}

interface GridProps {
  label: string;
  heads: ReadonlyArray<readonly [string, string]>;
  rows: ReadonlyArray<ReadonlyArray<string | null>>;
}

function Grid({ label, heads, rows }: GridProps): React.JSX.Element {
  return (
    <div className="capacity-Lake-grid" tabIndex={0} role="region" aria-label={label}>
      <table className="capacity-Table" aria-label={label}>
        <thead>
          <tr>
            {heads.map(([name, type], at) => (
              <th key={at} scope="col">
                {name}
                {type !== '' && <span className="capacity-Form-help">{type}</span>}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row, at) => (
            <tr key={at}>
              {row.map((value, column) => (
                <td key={column}>{value ?? <em>none</em>}</td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Picture({ image, name }: { image: LakeImage; name: string }): React.JSX.Element {
  return (
    <img
      className="capacity-Lake-picture"
      alt={name}
      src={`data:${image.media_type};base64,${image.base64}`}
    />
  );
}
