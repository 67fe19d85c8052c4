import type { CommandSpec } from '../spec.ts';
import { deleteCommand } from './delete.ts';
import { doctor } from './doctor.ts';
import { download } from './download.ts';
import { info } from './info.ts';
import { list } from './list.ts';
import { log } from './log.ts';
import { report } from './report.ts';
import { restore } from './restore.ts';
import { run } from './run.ts';
import { set } from './set.ts';
import { undo } from './undo.ts';
import { verify } from './verify.ts';

/** Every command there is, in the order of the help. A verb here needs its shim in subcommands/; a test compares the two. */
export const commands: readonly CommandSpec[] = [run, restore, undo, list, info, verify, download, deleteCommand, set, report, log, doctor];
