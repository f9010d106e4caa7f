// Addresses behind the #: #/sites/blog/versions. Nothing of them reaches the server.
import { useEffect, useState } from "./vendor/preact.js";

export function place() {
  const parts = location.hash.replace(/^#\/?/, "").split("?")[0].split("/").filter(Boolean);
  return parts.map((part) => {
    try {
      return decodeURIComponent(part);
    } catch {
      return part; // somebody wrote a % by hand
    }
  });
}

export function query() {
  return new URLSearchParams(location.hash.split("?")[1] ?? "");
}

export function to(...parts) {
  return `#/${parts.map(encodeURIComponent).join("/")}`;
}

export function go(...parts) {
  location.hash = to(...parts);
}

export function usePlace() {
  const [here, setHere] = useState(place());
  useEffect(() => {
    const changed = () => {
      setHere(place());
      document.getElementById("content")?.focus({ preventScroll: true });
      scrollTo(0, 0);
    };
    addEventListener("hashchange", changed);
    return () => removeEventListener("hashchange", changed);
  }, []);
  return here;
}
