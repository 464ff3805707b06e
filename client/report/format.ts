const thinSpace = '\u202f';
const minus = '\u2212';

/** 0.382 → `38.2 %` */
export function percent(share: number): string {
  return `${(share * 100).toFixed(1)}${thinSpace}%`;
}

/** 0.257 → `+25.7 points` */
export function points(difference: number): string {
  return `${signed(difference * 100, 1)} points`;
}

export function signed(value: number, digits: number): string {
  const text = Math.abs(value).toFixed(digits);
  return Number(text) === 0 ? `±${text}` : `${value < 0 ? minus : '+'}${text}`;
}

/** 1234567 → `1 234 567` */
export function whole(value: number): string {
  return String(Math.round(value)).replace(/\B(?=(\d{3})+$)/g, thinSpace);
}

/** 4321 → `1 h 12 min` */
export function duration(seconds: number): string {
  if (seconds < 60) return `${seconds.toFixed(seconds < 10 ? 1 : 0)} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** 2026-01-31T12:34:56.789Z → `2026-01-31 12:34 UTC` */
export function instant(iso: string): string {
  return `${iso.slice(0, 10)} ${iso.slice(11, 16)} UTC`;
}

/** `2026-01-31 12:34 to 13:05 UTC`, the second date left out when it is the first. */
export function period(from: string, to: string): string {
  const sameDay = from.slice(0, 10) === to.slice(0, 10);
  return `${from.slice(0, 10)} ${from.slice(11, 16)} to ${sameDay ? '' : `${to.slice(0, 10)} `}${to.slice(11, 16)} UTC`;
}

/** First 12 of a hash: enough to tell artifacts apart by eye. */
export function short(hash: string): string {
  return hash.slice(0, 12);
}
