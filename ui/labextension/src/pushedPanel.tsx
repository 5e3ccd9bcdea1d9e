// A push that started no run here: what was done and where it went, and a run on demand.
import { ReactWidget } from '@jupyterlab/ui-components';
import * as React from 'react';

import { pipelineIcon } from './icons';
import { Action, Head, Lines, Notice } from './panel';
import { COMMIT_DIGITS, panelId, PipelinePlace } from './pipelinePlace';

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
    const place = `Commit ${commit.slice(0, COMMIT_DIGITS)} of ${remote}`;
    return (
      <>
        <Head title={name} word={isNew ? 'Pushed' : 'Unchanged'} tone={isNew ? 'good' : 'neutral'}>
          <Action label="Run it here" onPress={this.run} />
        </Head>
        <Notice
          tone="neutral"
          text={
            isNew
              ? `${place} has the project. That repository’s own CI runs it: look there for its steps.`
              : `${place} has this very project already, so nothing was pushed and no run began.`
          }
        />
        <p className="capacity-Form-help">“Run it here” runs its steps under your team’s quota.</p>
        <Lines lines={lines} isOpen />
      </>
    );
  }
}
