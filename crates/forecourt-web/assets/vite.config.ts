// Builds src/*.ts and src/app.css into dist with content hashes and a manifest that assets.rs reads.
// Nothing is inlined: the pages' content security policy allows files of our own origin only.
import tailwindcss from "@tailwindcss/vite";
import { defineConfig } from "vite";

export default defineConfig({
  plugins: [tailwindcss()],
  base: "/assets/",
  build: {
    outDir: "dist",
    assetsDir: "",
    manifest: "manifest.json",
    assetsInlineLimit: 0,
    modulePreload: false,
    target: ["chrome123", "firefox120", "safari17.5"],
    cssTarget: ["chrome123", "firefox120", "safari17.5"],
    rollupOptions: {
      input: ["src/app.ts", "src/theme.ts", "src/app.css", "src/icons.svg"],
    },
  },
});
