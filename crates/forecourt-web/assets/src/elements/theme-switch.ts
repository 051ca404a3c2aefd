// <theme-switch>: three buttons, system, light and dark; the choice is kept in this browser.
class ThemeSwitch extends HTMLElement {
  connectedCallback(): void {
    this.hidden = false;
    for (const button of this.querySelectorAll("button"))
      button.addEventListener("click", () => this.choose(button.value));
    this.show(localStorage.getItem("theme") ?? "system");
  }

  private choose(theme: string): void {
    if (theme === "system") {
      localStorage.removeItem("theme");
      delete document.documentElement.dataset["theme"];
    } else {
      localStorage.setItem("theme", theme);
      document.documentElement.dataset["theme"] = theme;
    }
    for (const other of document.querySelectorAll<ThemeSwitch>("theme-switch")) other.show(theme);
  }

  private show(theme: string): void {
    for (const button of this.querySelectorAll("button"))
      button.setAttribute("aria-pressed", String(button.value === theme));
  }
}
customElements.define("theme-switch", ThemeSwitch);
export {};
