// What the panels that follow something share: a head with the state, and the notice of what went wrong.
import { Notification } from '@jupyterlab/apputils';
import { LabIcon, ReactWidget } from '@jupyterlab/ui-components';
import { ISignal } from '@lumino/signaling';
import * as React from 'react';

import { sentenceOf } from './request';
import type { Tone } from './words';

export interface Followed {
  readonly changed: ISignal<unknown, void>;
}

/** Redraws itself whenever what it follows has changed. */
export abstract class FollowingPanel<T extends Followed> extends ReactWidget {
  constructor(
    readonly followed: T,
    icon: LabIcon,
    label: string
  ) {
    super();
    this.addClass('capacity-Panel');
    this.title.icon = icon;
    this.title.label = label;
    followed.changed.connect(() => this.update());
  }
}

interface HeadProps {
  title: string;
  word: string;
  tone: Tone;
  children?: React.ReactNode;
}

export function Head({ title, word, tone, children }: HeadProps): React.JSX.Element {
  return (
    <header>
      <h2>{title}</h2>
      <span className={`capacity-State capacity-mod-${tone}`} role="status">
        {word}
      </span>
      <span className="capacity-Panel-actions">{children}</span>
    </header>
  );
}

export function Notice({ text, tone }: { text: string; tone: Tone }): React.JSX.Element | null {
  return text === '' ? null : (
    <p
      className={`capacity-Notice capacity-mod-${tone}`}
      role={tone === 'bad' ? 'alert' : undefined}
    >
      {text}
    </p>
  );
}

/** A button; one that takes its time is off until it is done, and what goes wrong becomes a notification. */
export function Action(props: {
  label: string;
  onPress: () => void | Promise<void>;
  isDisabled?: boolean;
  isMain?: boolean;
}): React.JSX.Element {
  const [isPending, setPending] = React.useState(false);
  const press = async () => {
    setPending(true);
    try {
      await props.onPress();
    } catch (error) {
      Notification.error(sentenceOf(error), { autoClose: false });
    } finally {
      setPending(false);
    }
  };
  return (
    <button
      type="button"
      className={`jp-mod-styled${props.isMain ? ' jp-mod-accept' : ''}`}
      disabled={isPending || (props.isDisabled ?? false)}
      onClick={() => void press()}
    >
      {props.label}
    </button>
  );
}

interface LinesProps {
  lines: readonly string[];
  isOpen?: boolean;
}

/** What was done before there was anything to follow. */
export function Lines({ lines, isOpen = false }: LinesProps): React.JSX.Element | null {
  return lines.length === 0 ? null : (
    <details open={isOpen}>
      <summary>How it was made</summary>
      <pre className="capacity-Log" tabIndex={0} aria-label="How it was made">
        {lines.join('\n')}
      </pre>
    </details>
  );
}
