// <confirm-form name="…">: holds back the submit button until the name has been typed. The server checks
// the same again, so that the form is safe without script.
class ConfirmForm extends HTMLElement {
  connectedCallback(): void {
    const input = this.querySelector<HTMLInputElement>("input[name=confirm]");
    const submit = this.querySelector<HTMLButtonElement>("button[type=submit]");
    if (!input || !submit) return;
    const check = (): void => {
      submit.disabled = input.value.trim() !== this.getAttribute("expected");
    };
    input.addEventListener("input", check);
    check();
  }
}
customElements.define("confirm-form", ConfirmForm);
export {};
