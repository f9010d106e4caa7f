// Light or dark: what the system says, or what was chosen here. Runs first, so that nothing flashes.
const KEY = "fazt-theme";
const dark = matchMedia("(prefers-color-scheme: dark)");

export function theme() {
  try {
    return localStorage.getItem(KEY) ?? "system";
  } catch {
    return "system"; // storage may be switched off
  }
}

export function setTheme(name) {
  try {
    name === "system" ? localStorage.removeItem(KEY) : localStorage.setItem(KEY, name);
  } catch {
    // then it lasts as long as the page
  }
  apply(name);
}

function apply(name = theme()) {
  const isDark = name === "dark" || (name === "system" && dark.matches);
  document.documentElement.classList.toggle("dark", isDark);
  document.documentElement.dispatchEvent(new CustomEvent("themechange"));
}

dark.addEventListener("change", () => apply());
apply();
