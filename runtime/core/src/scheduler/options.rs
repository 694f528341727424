//! What the operator configures.

use std::collections::BTreeMap;

use crate::capability::Grants;
use crate::id::{Namespace, PluginName};
use crate::queue::{LimitOf, Queue};
use crate::spec::TimeZone;

/// What the operator configures.
#[derive(Clone, Debug)]
pub struct Options {
    /// The zone of jobs that name none.
    pub timezone: TimeZone,
    /// How many attempts may go at once.
    pub max_running: u32,
    /// How many of a namespace, unless it has a bound of its own.
    pub max_running_per_namespace: Option<u32>,
    /// How many of some namespaces.
    pub max_running_of_namespace: BTreeMap<Namespace, u32>,
    /// How many with some plugins.
    pub max_running_of_plugin: BTreeMap<PluginName, u32>,
    /// The address at which people reach the daemon, without a slash at its end; what is told of runs links there.
    pub public_url: Option<String>,
    /// What any run may do at most.
    pub ceiling: Grants,
    /// A defect that the simulator seeds.
    #[cfg(feature = "defects")]
    pub defect: Option<super::Defect>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            timezone: TimeZone::UTC,
            max_running: 256,
            max_running_per_namespace: None,
            max_running_of_namespace: BTreeMap::new(),
            max_running_of_plugin: BTreeMap::new(),
            public_url: None,
            ceiling: Grants::everything(),
            #[cfg(feature = "defects")]
            defect: None,
        }
    }
}

impl Options {
    /// An empty queue with these limits.
    pub(super) fn queue(&self) -> Queue {
        let per_namespace = self.max_running_per_namespace;
        #[cfg(feature = "defects")]
        let per_namespace = per_namespace.map(|most| self.bound(super::Defect::NamespaceOffByOne, most));
        let mut queue = Queue::new(per_namespace);
        for (namespace, most) in &self.max_running_of_namespace {
            #[cfg(feature = "defects")]
            let most = &self.bound(super::Defect::NamespaceOffByOne, *most);
            queue.set_limit(&LimitOf::Namespace(namespace.clone()), Some(*most));
        }
        for (plugin, most) in &self.max_running_of_plugin {
            #[cfg(feature = "defects")]
            let most = &self.bound(super::Defect::PluginOffByOne, *most);
            queue.set_limit(&LimitOf::Plugin(plugin.clone()), Some(*most));
        }
        queue
    }
}
