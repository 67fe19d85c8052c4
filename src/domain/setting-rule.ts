import { parseDuration } from './duration.ts';
import { PgbackupError } from './errors.ts';
import { isAbsolutePlace } from './place.ts';

/** One setting: its key, what it does, its default and its check. */
export interface SettingRule {
  readonly key: string;
  readonly summary: string;
  readonly fallback: string;
  /** The message of a refusal repeats the value only where `shown` is undefined. @throws PgbackupError usage. */
  readonly check: (value: string) => void;
  /** Taken from standard input alone: arguments are seen by `ps` and kept by the shell's history (pitfall 49). */
  readonly secret?: true;
  /** It is of the host, and so no service has one of its own. */
  readonly globalOnly?: true;
  /** What is shown of a value that must not be seen whole, as one with a token in it; undefined: all of it. */
  readonly shown?: (value: string) => string;
}

/** A whole number between the two. */
export function inRange(key: string, low: number, high: number): (value: string) => void {
  return (value) => {
    if (/^\d{1,4}$/.test(value) && Number(value) >= low && Number(value) <= high) return;
    throw new PgbackupError('usage', `${key} "${value}" is not a whole number from ${low} to ${high}`);
  };
}

/** A duration no longer than the one given, which is written as a person would write it. */
export function upTo(key: string, longest: string): (value: string) => void {
  return (value) => {
    if (parseDuration(value, key) <= parseDuration(longest, key)) return;
    throw new PgbackupError('usage', `${key} "${value}" is longer than ${longest}`);
  };
}

/** One of a few words. */
export function oneOf(key: string, words: readonly string[]): (value: string) => void {
  return (value) => {
    if (words.includes(value)) return;
    throw new PgbackupError('usage', `${key} "${value}" is not one of ${words.join(', ')}`);
  };
}

/** An absolute path that can be named anywhere. */
export function absolutePath(key: string): (value: string) => void {
  return (value) => {
    if (isAbsolutePlace(value)) return;
    throw new PgbackupError('usage', `${key} "${value}" is not a usable path`, {
      hint: 'Give an absolute path without "..", colon or comma, on a disk that user dokku can write to',
    });
  };
}

/** One line of some length. What it is stays out of the message. */
export function secretLine(key: string, shortest: number): (value: string) => void {
  return (value) => {
    if (/\p{Cc}/u.test(value)) throw new PgbackupError('usage', `${key} is not one line of text`);
    if (value.length < shortest) throw new PgbackupError('usage', `${key} is shorter than ${shortest} characters`);
    if (value.length > 1000) throw new PgbackupError('usage', `${key} is longer than 1000 characters`);
  };
}

/** What is shown of a secret. */
export const mask = '***';
