//! Where a benchmark keeps its data: below cargo's target folder, because a folder for temporary files may lie in memory
//! and durability costs nothing there.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use anyhow::Context as _;

/// A folder that is removed with everything in it when this is dropped.
pub(crate) struct Place(tempfile::TempDir);

impl Place {
    pub(crate) fn new() -> anyhow::Result<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("the crate lies two folders down");
        let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), |dir| root.join(dir));
        let parent = target.join("bench");
        std::fs::create_dir_all(&parent).with_context(|| format!("cannot make {}", parent.display()))?;
        let dir = tempfile::Builder::new().prefix("data-").tempdir_in(&parent);
        let dir = dir.with_context(|| format!("cannot make a folder in {}", parent.display()))?;
        // A data directory that others may enter is refused.
        std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o700))?;
        Ok(Self(dir))
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }
}
