import { testNotices } from '../../app/notify-test.ts';
import { resolveService } from '../../app/resolve.ts';
import { PgbackupError } from '../../domain/errors.ts';
import { describeOutcome } from '../../domain/notice.ts';
import { formatOption, serviceOption, type CommandSpec } from '../spec.ts';

export const notifyTest: CommandSpec = {
  verb: 'notify-test',
  args: '<target>',
  summary: 'Call every endpoint that notices go to',
  details:
    'Posts an event "test" to webhook-url, and calls heartbeat-url and heartbeat-fail-url. A plain heartbeat cannot be told ' +
    'from a real one: the monitor takes the first for a backup, and the other for a failure. With heartbeat-style healthchecks ' +
    "it is <heartbeat-url>/log, which leaves the check's state alone.\n\n" +
    'Exit codes: 0 all were reached, 3 some were not, 4 there is none.',
  options: [serviceOption, formatOption],
  examples: ['dokku pgbackup:notify-test shop'],
  run: async ({ output, ports: open }, args) => {
    const ports = await open();
    const service = args.text('service');
    const { name } = await resolveService(ports, { target: args.required(0), ...(service !== undefined && { service }) });
    const outcomes = await testNotices(ports, name);
    const failed = outcomes.filter(({ ok }) => !ok);
    if (output.options.json) output.json({ service: name, outcomes });
    else
      output.result(
        `${outcomes.length - failed.length} of ${outcomes.length} endpoints of ${name} were reached`,
        outcomes.map((outcome) => [outcome.ok ? 'Reached' : 'Failed', describeOutcome(outcome)]),
      );
    if (failed.length > 0) {
      throw new PgbackupError('partial', `${failed.length} of ${outcomes.length} endpoints of ${name} could not be notified`, {
        hint: `Look at the addresses, and set them anew: printf '%s' "$URL" | dokku pgbackup:set ${name} <key> -`,
      });
    }
  },
};
