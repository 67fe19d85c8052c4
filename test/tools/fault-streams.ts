/** What goes wrong with the bytes of a body on their way. */
import { Transform } from 'node:stream';

/** Lets bytes through at this speed and no faster. */
export function throttle(bytesPerSecond: number): Transform {
  const began = performance.now();
  let passed = 0;
  return new Transform({
    highWaterMark: 16_384,
    transform(chunk: Buffer, _encoding, done) {
      passed += chunk.length;
      const wait = began + (passed / bytesPerSecond) * 1000 - performance.now();
      setTimeout(() => done(null, chunk), Math.max(0, wait));
    },
  });
}

/** Lets so many bytes through, then calls `act` and passes nothing on. */
export function cutAfter(bytes: number, act: () => void): Transform {
  let passed = 0;
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      const rest = bytes - passed;
      passed += chunk.length;
      if (chunk.length < rest) return done(null, chunk);
      this.push(chunk.subarray(0, rest));
      // A moment later, so that what was let through is on the wire. `done` is never called: nothing follows.
      setTimeout(act, 20);
    },
  });
}

/** Turns every bit of one byte; calls `act` when it has come by. */
export function corruptAt(position: number, act: () => void): Transform {
  let passed = 0;
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      const at = position - passed;
      passed += chunk.length;
      if (at < 0 || at >= chunk.length) return done(null, chunk);
      const changed = Buffer.from(chunk);
      changed.writeUInt8(changed.readUInt8(at) ^ 0xff, at);
      act();
      done(null, changed);
    },
  });
}
