// <copy-button value="…"><button>…</button></copy-button>: copies its value and says so to everyone.
class CopyButton extends HTMLElement {
  connectedCallback(): void {
    const button = this.querySelector("button");
    if (!button || !navigator.clipboard) return;
    button.hidden = false;
    button.addEventListener("click", () => void this.copy());
  }

  private async copy(): Promise<void> {
    await navigator.clipboard.writeText(this.getAttribute("value") ?? "");
    const status = this.querySelector("[data-status]");
    this.dataset["copied"] = "";
    if (status) status.textContent = this.getAttribute("done") ?? "";
    setTimeout(() => {
      delete this.dataset["copied"];
      if (status) status.textContent = "";
    }, 2000);
  }
}
customElements.define("copy-button", CopyButton);
export {};
