// A push that started no run here: what was done and where it went, and a run on demand.
import { ReactWidget } from '@jupyterlab/ui-components';
import * as React from 'react';

import { pipelineIcon } from './icons';
import { Action, Head, Lines, Notice } from './panel';
import { COMMIT_DIGITS, panelId, PipelinePlace } from './pipelinePlace';

const REMOTE = /^\s*remote: (.*)$/;

export class PushedPanel extends ReactWidget {
  constructor(
    readonly place: PipelinePlace,
    private readonly run: () => Promise<void>
  ) {
    super();
    this.id = panelId(place);
    this.addClass('capacity-Panel');
    this.title.icon = pipelineIcon;
    this.title.label = place.name;
    this.title.closable = true;
  }

  protected render(): React.JSX.Element {
    const { name, remote, commit, lines, is_new: isNew } = this.place;
    const said = saidBy(lines);
    const place = `Commit ${commit.slice(0, COMMIT_DIGITS)} of ${remote}`;
    return (
      <>
        <Head title={name} word={isNew ? 'Pushed' : 'Unchanged'} tone={isNew ? 'good' : 'neutral'}>
          <Action label="Run it here" onPress={this.run} />
        </Head>
        <Notice tone="neutral" text={`${place} ${outcomeOf(isNew, said)}`} />
        <Notice tone="waiting" text={said === '' ? '' : `The repository says:\n${said}`} />
        <p className="capacity-Form-help">“Run it here” runs its steps under your team’s quota.</p>
        <Lines lines={lines} isOpen />
      </>
    );
  }
}

function outcomeOf(isNew: boolean, said: string): string {
  if (!isNew) {
    return 'has this very project already, so nothing was pushed and no run began.';
  }
  return said === ''
    ? 'has the project. That repository’s own CI runs it: look there for its steps.'
    : 'has the project; the push started no run here.';
}

/** What the remote answered to the push: its own CI's address, or why our hook started nothing. */
function saidBy(lines: readonly string[]): string {
  const words = lines.map(line => REMOTE.exec(line)?.[1] ?? '');
  return words.filter(word => word !== '').join('\n');
}
