import { repair } from '../../app/repair.ts';
import { serviceOption, type CommandSpec } from '../spec.ts';

export const doctor: CommandSpec = {
  verb: 'doctor',
  args: '<target>',
  summary: 'Clean up after an operation that was cut off',
  details: 'The next command on the service does the same by itself. Says so when there is nothing to do.',
  options: [serviceOption],
  examples: ['dokku pgbackup:doctor shop'],
  run: async ({ output, ports: open }, args) => {
    const ports = await open();
    const service = args.text('service');
    const repaired = await repair(ports, { target: args.required(0), ...(service !== undefined && { service }) });
    output.result(repaired.found === undefined ? `Nothing was left undone on ${repaired.service}` : `${repaired.found} is cleaned up`, []);
  },
};
