import { s3Limits } from '../../../domain/s3-config.ts';

const mebibyte = 1024 * 1024;
const usualPart = 8 * mebibyte;
/** All part buffers of one upload together, so that the program stays below 250 MB. */
const memory = 96 * mebibyte;
const mostBuffers = 5;
/** The expectation comes from the size of a database: how many times larger the archive may turn out without harm. */
const margin = 4;
/** The same where parts would otherwise grow beyond what the memory holds. */
const tightMargin = 1.25;

/** How one upload is cut. All parts but the last have the same size: R2 wants it so. */
export interface PartPlan {
  /** Bytes. */
  readonly partSize: number;
  /** Buffers of one part each: one is being filled while the others are under way. */
  readonly buffers: number;
  /** Bytes that fit into the parts that the provider allows. */
  readonly capacity: number;
}

export interface PartLimits {
  readonly maxParts: number;
  /** Bytes; null: to be chosen. */
  readonly partSize: number | null;
}

/** The parts of an upload of about that many bytes; undefined where nobody knows. */
export function planParts(expectedBytes: number | undefined, limits: PartLimits): PartPlan {
  const partSize = limits.partSize ?? chosenSize(expectedBytes ?? 0, limits.maxParts);
  return {
    partSize,
    buffers: Math.max(1, Math.min(mostBuffers, Math.floor(memory / partSize))),
    capacity: partSize * limits.maxParts,
  };
}

function chosenSize(expectedBytes: number, maxParts: number): number {
  const wide = Math.min((expectedBytes * margin) / maxParts, memory / 2);
  const needed = (expectedBytes * tightMargin) / maxParts;
  const size = Math.ceil(Math.max(usualPart, wide, needed) / mebibyte) * mebibyte;
  return Math.min(size, s3Limits.maxPart);
}
