import fc from 'fast-check';
import { expect, it } from 'vitest';
import { giveWith, type Scenario } from './swap-faults.ts';

const flag = fc.boolean();

const scenario: fc.Arbitrary<Scenario> = fc
  .record({
    command: fc.constantFrom('restore' as const, 'undo' as const),
    online: flag,
    stopApp: flag,
    liveGone: flag,
    previous: fc.constantFrom('kept' as const, 'expired' as const, undefined),
    resting: flag,
    noMaintenancePlugin: flag,
  })
  // An expired previous database leaves nothing to undo.
  .map(({ previous, ...rest }) => ({ ...rest, ...(previous && (rest.command === 'restore' || previous === 'kept') && { previous }) }));

const fault = fc.record({
  index: fc.nat(60),
  effect: fc.constantFrom('none' as const, 'whole' as const, 'torn' as const),
  scope: fc.constantFrom('once' as const, 'server' as const, 'process' as const),
});

it('whatever fails, and fails again while it is put right, the live database is whole and the next command puts all in order (pitfall 31)', async () => {
  let struckTwice = 0;
  await fc.assert(
    fc.asyncProperty(
      scenario,
      fc.array(fc.array(fault, { minLength: 1, maxLength: 2 }), { minLength: 1, maxLength: 3 }),
      // Ctrl-C, in half of the cases.
      fc.option(fc.nat(60), { nil: undefined, freq: 2 }),
      async (world, faults, interruptAt) => {
        const { flaws, struck } = await giveWith(world, faults, interruptAt);
        if (struck + faults.length > 2) struckTwice += 1;
        expect(flaws).toEqual([]);
      },
    ),
    { numRuns: 500 },
  );
  expect(struckTwice).toBeGreaterThan(40);
});
