import type { NoticeRequest } from '../../src/domain/notice.ts';
import { maskUrl } from '../../src/domain/url.ts';
import type { Notifier } from '../../src/ports.ts';
import type { Faults } from './faults.ts';

/** A call that was made. */
export interface Delivery extends NoticeRequest {
  readonly timeout: number;
}

/** Endpoints that note what they are told; never throws, as the port says. A dead process tells nobody. */
export function twinNotifier(world: { readonly delivered: Delivery[]; readonly endpointsFail: boolean }, faults: Faults): Notifier {
  return {
    version: '0.1.0',
    deliver: async (requests, timeout) => {
      if (!faults.dead) world.delivered.push(...requests.map((request) => ({ ...request, timeout })));
      return requests.map(({ endpoint, url }) => ({
        endpoint,
        url: maskUrl(url),
        ok: !world.endpointsFail,
        status: world.endpointsFail ? 500 : 200,
        milliseconds: 1,
        message: world.endpointsFail ? 'HTTP 500' : null,
      }));
    },
  };
}
