// Everything that runs after the page is there: htmx for fragments, and the custom elements.
// Each page works without this file; what needs script is hidden until an element upgrades.
import "htmx.org";
import "./elements/copy-button";
import "./elements/dialog-link";
import "./elements/confirm-form";
import "./elements/drop-down";
import "./elements/flash-toast";
import "./elements/secret-panel";
import "./elements/theme-switch";
import "./elements/time-ago";
