// <dialog-link><a href="/…/delete">: opens the linked page's <section data-dialog> in a <dialog> instead of
// going there. Anything unexpected (no script, no section, an error) simply follows the link.
class DialogLink extends HTMLElement {
  connectedCallback(): void {
    this.querySelector("a")?.addEventListener("click", (event) => {
      if (event.metaKey || event.ctrlKey || event.shiftKey || event.button !== 0) return;
      event.preventDefault();
      void this.open(event.currentTarget as HTMLAnchorElement);
    });
  }

  private async open(link: HTMLAnchorElement): Promise<void> {
    const answer = await fetch(link.href, { headers: { accept: "text/html" } }).catch(() => null);
    const page = answer?.ok ? new DOMParser().parseFromString(await answer.text(), "text/html") : null;
    const section = page?.querySelector("[data-dialog]");
    if (!section) {
      location.assign(link.href);
      return;
    }
    const dialog = document.createElement("dialog");
    dialog.className = "dialog";
    const heading = section.querySelector("h1, h2");
    if (heading) {
      heading.id ||= "dialog-title";
      dialog.setAttribute("aria-labelledby", heading.id);
    }
    dialog.append(section);
    for (const cancel of dialog.querySelectorAll("[data-cancel]"))
      cancel.addEventListener("click", (event) => {
        event.preventDefault();
        dialog.close();
      });
    dialog.addEventListener("close", () => {
      dialog.remove();
      link.focus();
    });
    document.body.append(dialog);
    dialog.showModal();
  }
}
customElements.define("dialog-link", DialogLink);
export {};
