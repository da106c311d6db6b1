import js from "@eslint/js";
import jsdoc from "eslint-plugin-jsdoc";
import globals from "globals";

const MARKUP = "Build nodes and set textContent: markup from strings is how scripts get in (style.md §8).";

export default [
  { ignores: ["node_modules/", ".venv/", "build/", "dist/"] },
  js.configs.recommended,
  {
    linterOptions: { reportUnusedDisableDirectives: "error" },
    languageOptions: { ecmaVersion: 2023, sourceType: "module" },
    rules: {
      curly: ["error", "multi-line"],
      eqeqeq: ["error", "always", { null: "ignore" }],
      "no-console": "error",
      "no-implicit-coercion": ["error", { boolean: false }],
      "no-promise-executor-return": "error",
      "no-shadow": "error",
      "no-undef": "off", // tsc knows better, JSDoc types included
      "no-unused-vars": ["error", { argsIgnorePattern: "^_", varsIgnorePattern: "^_", caughtErrors: "none" }],
      "no-var": "error",
      "object-shorthand": "error",
      "prefer-const": "error",

      // A strict CSP and hostile text: no code and no markup from strings.
      "no-eval": "error",
      "no-implied-eval": "error",
      "no-new-func": "error",
      "no-script-url": "error",
      "no-restricted-properties": [
        "error",
        { property: "innerHTML", message: MARKUP },
        { property: "outerHTML", message: MARKUP },
        { property: "insertAdjacentHTML", message: MARKUP },
        { property: "createContextualFragment", message: MARKUP },
        { property: "setHTMLUnsafe", message: MARKUP },
        { property: "parseHTMLUnsafe", message: MARKUP },
        { property: "srcdoc", message: MARKUP },
        { object: "document", property: "write", message: MARKUP },
        { object: "document", property: "writeln", message: MARKUP },
      ],
      "no-restricted-syntax": [
        "error",
        { selector: "NewExpression[callee.name='DOMParser']", message: MARKUP },
        {
          selector: "CallExpression[callee.property.name='setAttribute'][arguments.0.value=/^(style|srcdoc|on.*)$/i]",
          message: "Inline styles and handlers do not pass the strict CSP: use a class, a custom property or addEventListener.",
        },
      ],
    },
  },
  {
    files: ["src/guestwire/web/**/*.js"],
    languageOptions: { globals: globals.browser },
    plugins: { jsdoc },
    settings: { jsdoc: { mode: "typescript" } },
    rules: {
      "jsdoc/check-alignment": "error",
      "jsdoc/check-param-names": "error",
      "jsdoc/check-property-names": "error",
      "jsdoc/check-tag-names": ["error", { definedTags: ["attr", "csspart", "cssproperty", "slot", "element"] }],
      "jsdoc/empty-tags": "error",
      "jsdoc/no-bad-blocks": "error",
      "jsdoc/require-param-type": "error",
      "jsdoc/require-property-type": "error",
      "jsdoc/require-returns-type": "error",
      "jsdoc/valid-types": "error",
    },
  },
  {
    files: ["tests/js/**/*.js", "eslint.config.js"],
    languageOptions: { globals: globals.node },
  },
];
