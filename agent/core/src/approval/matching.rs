//! Who fills which slot: a bipartite matching of people and slots.
//!
//! Going through people and handing each the first free slot would be wrong: alice may hold two
//! roles of which bob holds one, and whoever came first must make room. Augmenting paths find an
//! assignment whenever there is one, and never take a slot from a person without giving another.

/// Slots, and the people in the order in which they came.
#[derive(Clone)]
pub(crate) struct Matching {
    /// The role of each slot.
    slots: Vec<usize>,
    people: Vec<Candidate>,
}

#[derive(Clone)]
struct Candidate {
    key: String,
    roles: Vec<usize>,
    slot: Option<usize>,
}

impl Matching {
    /// One slot for each entry; the entry is its role.
    pub(crate) fn new(slots: Vec<usize>) -> Self {
        Self {
            slots,
            people: Vec::new(),
        }
    }

    /// Adds a person, or roles to a person. Whether that changed anything.
    pub(crate) fn add(&mut self, key: &str, roles: impl IntoIterator<Item = usize>) -> bool {
        let index = match self.people.iter().position(|person| person.key == key) {
            Some(index) => index,
            None => {
                let person = Candidate {
                    key: key.to_owned(),
                    roles: Vec::new(),
                    slot: None,
                };
                self.people.push(person);
                self.people.len() - 1
            }
        };
        let Some(person) = self.people.get_mut(index) else {
            return false;
        };
        let before = person.roles.len();
        for role in roles {
            if !person.roles.contains(&role) {
                person.roles.push(role);
            }
        }
        if person.roles.len() == before {
            return false;
        }
        // New roles of one may make room for another: try everybody who waits, first come first.
        for index in 0..self.people.len() {
            if self
                .people
                .get(index)
                .is_some_and(|person| person.slot.is_none())
            {
                self.place(index, &mut vec![false; self.slots.len()]);
            }
        }
        true
    }

    /// Finds a slot for a person, moving others where that makes room. Depth is bounded by the
    /// number of slots: each is visited once.
    fn place(&mut self, person: usize, visited: &mut [bool]) -> bool {
        for slot in 0..self.slots.len() {
            let Some(role) = self.slots.get(slot) else {
                continue;
            };
            let holds = self
                .people
                .get(person)
                .is_some_and(|p| p.roles.contains(role));
            let Some(seen) = visited.get_mut(slot) else {
                continue;
            };
            if !holds || std::mem::replace(seen, true) {
                continue;
            }
            let holder = self.people.iter().position(|p| p.slot == Some(slot));
            if holder.is_none_or(|holder| self.place(holder, visited)) {
                if let Some(person) = self.people.get_mut(person) {
                    person.slot = Some(slot);
                }
                return true;
            }
        }
        false
    }

    /// Role and person of each filled slot, in the order of the slots.
    pub(crate) fn filled(&self) -> Vec<(usize, &str)> {
        let holder = |slot| self.people.iter().find(|person| person.slot == Some(slot));
        self.slots
            .iter()
            .enumerate()
            .filter_map(|(slot, role)| Some((*role, holder(slot)?.key.as_str())))
            .collect()
    }

    /// The role of each slot that nobody fills, in the order of the slots.
    pub(crate) fn missing(&self) -> Vec<usize> {
        let free = |slot| !self.people.iter().any(|person| person.slot == Some(slot));
        let slots = self.slots.iter().enumerate();
        slots
            .filter(|(slot, _)| free(*slot))
            .map(|(_, role)| *role)
            .collect()
    }
}
