// <drop-down><details>…: a menu that also closes on Escape, and when focus or a click goes elsewhere.
class DropDown extends HTMLElement {
  connectedCallback(): void {
    const details = this.querySelector("details");
    if (!details) return;
    document.addEventListener("click", (event) => {
      if (!this.contains(event.target as Node)) details.open = false;
    });
    this.addEventListener("focusout", (event) => {
      const next = event.relatedTarget;
      if (next instanceof Node && !this.contains(next)) details.open = false;
    });
    this.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || !details.open) return;
      details.open = false;
      details.querySelector("summary")?.focus();
    });
  }
}
customElements.define("drop-down", DropDown);
export {};
