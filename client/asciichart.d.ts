declare module 'asciichart' {
  interface PlotOptions {
    /** Rows between `min` and `max`. */
    height?: number;
    min?: number;
    max?: number;
    format?: (value: number) => string;
  }
  const asciichart: { plot(series: readonly number[], options?: PlotOptions): string };
  export default asciichart;
}
