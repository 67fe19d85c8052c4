import type { CommandSpec } from '../spec.ts';
import { adopt } from './adopt.ts';
import { copy } from './copy.ts';
import { deleteCommand } from './delete.ts';
import { discover } from './discover.ts';
import { doctor } from './doctor.ts';
import { download } from './download.ts';
import { info } from './info.ts';
import { list } from './list.ts';
import { log } from './log.ts';
import { pruneCommand } from './prune.ts';
import { notifyTest } from './notify-test.ts';
import { report } from './report.ts';
import { restore } from './restore.ts';
import { run } from './run.ts';
import { schedule } from './schedule.ts';
import { schedules } from './schedules.ts';
import { set } from './set.ts';
import { storageAuth } from './storage-auth.ts';
import { storageCheck } from './storage-check.ts';
import { storageCreate } from './storage-create.ts';
import { storageDestroy } from './storage-destroy.ts';
import { storageList } from './storage-list.ts';
import { status } from './status.ts';
import { undo } from './undo.ts';
import { unschedule } from './unschedule.ts';
import { verify } from './verify.ts';

/** Every command there is, in the order of the help. A verb here needs its shim in subcommands/; a test compares the two. */
export const commands: readonly CommandSpec[] = [
  run,
  restore,
  undo,
  list,
  info,
  verify,
  download,
  copy,
  deleteCommand,
  pruneCommand,
  discover,
  storageCreate,
  storageAuth,
  storageCheck,
  storageList,
  storageDestroy,
  schedule,
  unschedule,
  schedules,
  status,
  adopt,
  set,
  report,
  log,
  doctor,
  notifyTest,
];
