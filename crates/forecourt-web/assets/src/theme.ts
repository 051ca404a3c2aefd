// Runs before the first paint (a plain blocking script in <head>), so that the chosen theme never flashes.
const choice = localStorage.getItem("theme");
if (choice === "light" || choice === "dark") document.documentElement.dataset["theme"] = choice;
document.documentElement.classList.add("js");
export {};
