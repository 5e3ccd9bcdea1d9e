// Follows a pipeline's run: each step with its result, the training's curve, the optimisation's table, the server.
import { Notification } from '@jupyterlab/apputils';
import { ReactWidget } from '@jupyterlab/ui-components';
import * as React from 'react';

import { Curves, Explanation, Workers } from './followed';
import { pipelineIcon } from './icons';
import { Action, FollowingPanel, Head, Notice } from './panel';
import { payloadOf, Pipeline, PipelineStepView } from './pipeline';
import { sentenceOf } from './request';
import type { RequestView } from './wire';
import { isOver, short, stateOf } from './words';

/** Where a pipeline comes from; what brings its panel back after the page was loaded again. */
export interface PipelinePlace {
  /** The request; empty where the remote's own CI runs it. */
  id: string;
  name: string;
  remote: string;
  commit: string;
  /** The notebook that it was made of; empty where that is not known. */
  notebook: string;
  lines: string[];
}

export interface PipelineActs {
  follow: (view: RequestView) => void;
  /** A run of its own began. */
  onAgain: (view: RequestView) => void;
  showCell: (notebook: string, cell: number) => void;
}

const CELL = /\bcell (\d+)\b/i;
const COMMIT_DIGITS = 12;

export class PipelinePanel extends FollowingPanel<Pipeline> {
  constructor(
    pipeline: Pipeline,
    readonly place: PipelinePlace,
    private readonly acts: PipelineActs
  ) {
    super(pipeline, pipelineIcon, place.name);
    this.id = panelId(place);
    this.title.closable = true;
  }

  override dispose(): void {
    this.followed.dispose();
    super.dispose();
  }

  protected render(): React.JSX.Element {
    const { view, problem } = this.followed.run;
    if (view === null) {
      return problem === '' ? <p>Looking …</p> : <Notice text={problem} tone="bad" />;
    }
    return (
      <>
        <Head title={view.name} {...stateOf(view)}>
          {isOver(view) ? this.againButton(view) : this.cancelButton(view)}
          <a href={view.page_url} target="_blank" rel="noreferrer">
            Open its page
          </a>
        </Head>
        <Notice text={problem === '' ? '' : `${problem} Looking again …`} tone="waiting" />
        <Explanation view={view} />
        <Origin view={view} />
        <ol className="capacity-Pipeline" aria-label="Steps">
          {this.followed.steps.map(step => (
            <Step key={step.name} step={step} notebook={this.place.notebook} acts={this.acts} />
          ))}
        </ol>
        <Workers following={this.followed.run} />
        <Lines lines={this.place.lines} />
      </>
    );
  }

  private cancelButton(view: RequestView): React.JSX.Element {
    const cancel = () => this.attempt(() => this.followed.cancel());
    return <Action label="Cancel" isDisabled={view.is_ending} onPress={() => void cancel()} />;
  }

  private againButton(view: RequestView): React.JSX.Element | null {
    const again = () => this.attempt(async () => this.acts.onAgain(await this.followed.again()));
    return view.outcome === 'finished' ? null : (
      <Action label="Run again" isMain isDisabled={this.isAsking} onPress={() => void again()} />
    );
  }

  /** Do it once at a time, and say what went wrong. */
  private async attempt(act: () => Promise<void>): Promise<void> {
    this.isAsking = true;
    this.update();
    try {
      await act();
    } catch (error) {
      Notification.error(sentenceOf(error), { autoClose: false });
    } finally {
      this.isAsking = false;
      this.update();
    }
  }

  private isAsking = false;
}

/** A project whose remote has a CI of its own: nothing to follow here, but what was done and where it went. */
export class PushedPanel extends ReactWidget {
  constructor(readonly place: PipelinePlace) {
    super();
    this.id = panelId(place);
    this.addClass('capacity-Panel');
    this.title.icon = pipelineIcon;
    this.title.label = place.name;
    this.title.closable = true;
  }

  protected render(): React.JSX.Element {
    const { name, remote, commit, lines } = this.place;
    return (
      <>
        <Head title={name} word="Pushed" tone="good" />
        <div className="capacity-Notice capacity-mod-good" role="status">
          <p>
            Commit <code>{commit.slice(0, COMMIT_DIGITS)}</code> is in {remote}. That repository’s
            own CI runs it: look there for its steps.
          </p>
          <p className="capacity-Form-help">
            To run it here, under your team’s quota: jupyterhub-mesos pipeline submit {remote}
          </p>
        </div>
        <Lines lines={lines} isOpen />
      </>
    );
  }
}

export function panelId(place: PipelinePlace): string {
  return `capacity-pipeline-${place.id === '' ? place.commit : place.id}`;
}

function Origin({ view }: { view: RequestView }): React.JSX.Element | null {
  const payload = payloadOf(view);
  return payload === null ? null : (
    <p className="capacity-Form-help">
      Commit <code>{payload.commit.slice(0, COMMIT_DIGITS)}</code> of {payload.repository}
    </p>
  );
}

interface StepProps {
  step: PipelineStepView;
  notebook: string;
  acts: PipelineActs;
}

function Step({ step, notebook, acts }: StepProps): React.JSX.Element {
  const { said, event, child } = step;
  const cell = said.tone === 'bad' ? CELL.exec(event?.result ?? '')?.[1] : undefined;
  return (
    <li className={`capacity-mod-${said.tone}`} aria-current={event?.state === 'running' && 'step'}>
      <div className="capacity-Pipeline-step">
        <span className="capacity-Pipeline-sign" aria-hidden="true">
          {said.sign}
        </span>
        <strong>{step.title}</strong>
        <span className="capacity-Pipeline-word">{said.word}</span>
        <span className="capacity-Form-help">{secondsOf(event?.seconds ?? null)}</span>
      </div>
      {event !== null && event.result !== '' && (
        <p role={said.tone === 'bad' ? 'alert' : undefined}>{event.result}</p>
      )}
      {cell !== undefined && notebook !== '' && (
        <Action label={`Show cell ${cell}`} onPress={() => acts.showCell(notebook, Number(cell))} />
      )}
      {step.name === 'train' && child !== null && <Curves following={child} />}
      {event !== null && event.rows.length > 0 && <Table rows={event.rows} title={step.title} />}
      {child?.view != null && <Child view={child.view} follow={acts.follow} />}
    </li>
  );
}

function Child({
  view,
  follow
}: {
  view: RequestView;
  follow: PipelineActs['follow'];
}): React.JSX.Element {
  const what = view.kind === 'serving' ? 'model server' : 'job';
  const waits = view.status === 'queued' || view.status === 'held';
  return (
    <div className="capacity-Pipeline-child">
      <span>
        The {what} {view.name}: {stateOf(view).word.toLowerCase()}
        {waits && view.explanation !== null && `, ${view.explanation.sentence}`}
      </span>
      {view.url !== null && <a href={view.url}>{view.url}</a>}
      <Action label={`Follow the ${what}`} onPress={() => follow(view)} />
    </div>
  );
}

function Table({ rows, title }: { rows: string[][]; title: string }): React.JSX.Element {
  const [head = [], ...body] = rows;
  return (
    <table className="capacity-Table" aria-label={`${title}: what was compared`}>
      <thead>
        <tr>
          {head.map((name, at) => (
            <th key={at} scope="col">
              {name}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {body.map((row, at) => (
          <tr key={at}>
            {row.map((cell, column) => (
              <td key={column}>{cell}</td>
            ))}
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function Lines({
  lines,
  isOpen = false
}: {
  lines: readonly string[];
  isOpen?: boolean;
}): React.JSX.Element | null {
  return lines.length === 0 ? null : (
    <details open={isOpen}>
      <summary>How it was made</summary>
      <pre className="capacity-Log" tabIndex={0} aria-label="How it was made">
        {lines.join('\n')}
      </pre>
    </details>
  );
}

function secondsOf(seconds: number | null): string {
  return seconds === null ? '' : `${short(seconds, 3)} s`;
}
