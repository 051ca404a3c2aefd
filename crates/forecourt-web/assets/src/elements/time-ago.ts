// <time-ago><time datetime="…">exact</time></time-ago>: shows the distance, keeps the exact time of the
// reader's zone as the title. Without script the exact time stays.
const STEPS: [Intl.RelativeTimeFormatUnit, number][] = [
  ["year", 31_536_000],
  ["month", 2_592_000],
  ["week", 604_800],
  ["day", 86_400],
  ["hour", 3_600],
  ["minute", 60],
];

class TimeAgo extends HTMLElement {
  private timer = 0;

  connectedCallback(): void {
    this.show();
    this.timer = window.setInterval(() => this.show(), 30_000);
  }

  disconnectedCallback(): void {
    clearInterval(this.timer);
  }

  private show(): void {
    const time = this.querySelector("time");
    const at = time ? Date.parse(time.dateTime) : NaN;
    if (!time || Number.isNaN(at)) return;
    const locale = document.documentElement.lang;
    const seconds = (at - Date.now()) / 1000;
    const step = STEPS.find(([, size]) => Math.abs(seconds) >= size);
    const words = new Intl.RelativeTimeFormat(locale, { numeric: "auto" });
    time.textContent = step
      ? words.format(Math.round(seconds / step[1]), step[0])
      : words.format(0, "second");
    time.title = new Date(at).toLocaleString(locale, { dateStyle: "medium", timeStyle: "medium" });
  }
}
customElements.define("time-ago", TimeAgo);
export {};
