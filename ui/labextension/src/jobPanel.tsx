// Follows a request of the service: why it waits, its curves, its workers and their logs, until it is over.
import * as React from 'react';

import { askingCode } from './asking';
import { Curves, Explanation, Workers } from './followed';
import type { Following } from './following';
import { jobIcon } from './icons';
import { Action, FollowingPanel, Head, Notice } from './panel';
import type { RequestView } from './wire';
import { isOver, stateOf } from './words';

export class JobPanel extends FollowingPanel<Following> {
  constructor(
    following: Following,
    name: string,
    private readonly insert: (code: string) => void
  ) {
    super(following, jobIcon, name);
    this.id = `capacity-job-${following.id}`;
    this.title.closable = true;
  }

  override dispose(): void {
    this.followed.dispose();
    super.dispose();
  }

  protected render(): React.JSX.Element {
    const { view, problem } = this.followed;
    if (view === null) {
      return problem === '' ? <p>Looking …</p> : <Notice text={problem} tone="bad" />;
    }
    return (
      <>
        <Head title={view.name} {...stateOf(view)}>
          {!isOver(view) && (
            <Action
              label="Cancel"
              isDisabled={view.is_ending}
              onPress={() => this.followed.cancel()}
            />
          )}
          <a href={view.page_url} target="_blank" rel="noreferrer">
            Open its page
          </a>
        </Head>
        <Notice text={problem === '' ? '' : `${problem} Looking again …`} tone="waiting" />
        <Explanation view={view} />
        <Checkpoint view={view} insert={this.insert} />
        <Asking view={view} insert={this.insert} />
        <Curves following={this.followed} />
        <Workers following={this.followed} />
      </>
    );
  }
}

interface InsertProps {
  view: RequestView;
  insert: (code: string) => void;
}

/** What a finished job left, made known to the notebook's own cells. */
function Checkpoint({ view, insert }: InsertProps): React.JSX.Element | null {
  const place = view.payload.kind === 'training' ? view.payload.job.checkpoint_uri : null;
  if (place === null || view.outcome !== 'finished') {
    return null;
  }
  const code = `import os\n\nos.environ["JOB_CHECKPOINT"] = ${JSON.stringify(place)}  # for Checkpoint.from_environment()`;
  return (
    <p>
      Its checkpoint is in <code>{place}</code>.{' '}
      <Action label="Use it in the notebook" onPress={() => insert(code)} />
    </p>
  );
}

/** How a running model server is asked from the notebook. */
function Asking({ view, insert }: InsertProps): React.JSX.Element | null {
  const code = isOver(view) ? null : askingCode(view);
  return code === null ? null : (
    <p>
      <Action label="Insert code that asks it" onPress={() => insert(code)} />
    </p>
  );
}
