// <secret-panel file="…" env="NAME=value">: offers the secret as a file, and holds the person back from
// leaving until they say that it is stored. The secret is nowhere but in this page.
class SecretPanel extends HTMLElement {
  private readonly warn = (event: BeforeUnloadEvent): void => event.preventDefault();

  connectedCallback(): void {
    const download = this.querySelector<HTMLButtonElement>("[data-download]");
    if (download) {
      download.hidden = false;
      download.addEventListener("click", () => this.download());
    }
    const stored = this.querySelector<HTMLInputElement>("[data-stored]");
    addEventListener("beforeunload", this.warn);
    stored?.addEventListener("change", () => {
      if (stored.checked) removeEventListener("beforeunload", this.warn);
      else addEventListener("beforeunload", this.warn);
    });
  }

  disconnectedCallback(): void {
    removeEventListener("beforeunload", this.warn);
  }

  private download(): void {
    const text = `${this.getAttribute("env") ?? ""}\n`;
    const url = URL.createObjectURL(new Blob([text], { type: "text/plain" }));
    const link = document.createElement("a");
    link.href = url;
    link.download = this.getAttribute("file") ?? ".env";
    link.click();
    URL.revokeObjectURL(url);
  }
}
customElements.define("secret-panel", SecretPanel);
export {};
