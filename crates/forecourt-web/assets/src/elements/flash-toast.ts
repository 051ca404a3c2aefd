// <flash-toast>: a message about what was just done, with a button that puts it away. It never leaves by
// itself, so nobody misses it.
class FlashToast extends HTMLElement {
  connectedCallback(): void {
    const button = this.querySelector("button");
    if (!button) return;
    button.hidden = false;
    button.addEventListener("click", () => this.remove());
  }
}
customElements.define("flash-toast", FlashToast);
export {};
