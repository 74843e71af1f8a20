// Sizes and durations as people write and read them.

const factors: Record<string, number> = { Mi: 2 ** 20, Gi: 2 ** 30, Ti: 2 ** 40 };

/**
 * @param text a size such as `512Mi` or `4Gi`
 * @returns bytes
 * @throws RangeError when the text is no size
 */
export function parseBytes(text: string): number {
  const match = /^(\d+(?:\.\d+)?)(Mi|Gi|Ti)$/.exec(text);
  const factor = factors[match?.[2] ?? ''];
  if (!match || factor === undefined) throw new RangeError(`'${text}' is not a size; write for example 512Mi or 4Gi`);
  return Math.round(Number(match[1]) * factor);
}

/** @returns GiB with one decimal at most, for example `4 GiB` */
export const formatBytes = (bytes: number): string => `${Number((bytes / 2 ** 30).toFixed(1))} GiB`;

/** @returns for example `1 h 20 min`, `35 s`, `3 d 2 h` */
export function formatDuration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return `${whole} s`;
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return minutes % 60 === 0 ? `${hours} h` : `${hours} h ${minutes % 60} min`;
  return hours % 24 === 0 ? `${Math.floor(hours / 24)} d` : `${Math.floor(hours / 24)} d ${hours % 24} h`;
}
